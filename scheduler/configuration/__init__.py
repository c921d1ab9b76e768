"""Environment-agnostic configuration: one generic Terraform configuration, every region, checked before anything runs.

The map, in the order in which a value travels:

- `nodes`        a YAML value as it was written: each leaf knows file, line, column and, once merged, its layer.
- `files`        reads a file that somebody else may have written: regular, bounded, inside its folder.
- `yaml_source`  bytes -> nodes. YAML 1.2's plain scalars, no duplicate keys, no tags, every size bounded.
- `models`       what `flock.yaml`, `realms/*.yaml` and `regions/*.yaml` may hold (pydantic, strict); published by
                 `schemas`.
- `documents`    a file as a model and as nodes; what pydantic complains about gets its line.
- `hcl`, `terraform_json`, `terraform`, `requirements`, `constraints`, `conditions`, `suspects`, `file_paths`
                 what the generic configuration declares and needs, which types and rules its variables have, what is
                 hard-coded, and which files it would read that no worker has.
- `generic_files` which files belong to a generic configuration, and their digest.
- `merge`        layers as patches: maps merge deep, lists replace, `$append`, `$remove`, `$replace`, null. Associative.
- `references`   `${region.account}` and its like, resolved after the merge.
- `fleet`        reads it all from disk, through `terraform`, `generic_files` and `files`.
- `targets`      which targets there are, in which phase and configuration: flock.yaml against the regions.
- `render`       one target -> its values with their provenance -> its files and their digest (`RenderedTarget`).
- `check`        all targets -> one report: undeclared, misspelt, missing, mistyped, unresolved, shadowed, in clear.
- `sections`     what sets no values (safety, rollback, drift): shown, and held against the targets.
- `report`       findings, each with its place and the way out.
- `diff`         two rendered flocks -> the targets that change, value by value.
- `preview`      a region file that is not there yet -> what would be deployed where, in which order, what is missing.
- `atlantis`, `atlantis_projects`, `atlantis_values`, `atlantis_losses`, `json_values`, `yaml_text`
                 an atlantis.yaml -> a flock.yaml, and what is not carried over.
- `views`, `uploads`
                 the JSON of the commands and of the API; files that came with a request.

Precedence, lowest first: Terraform's default < flock.yaml < realm < region < target; within a realm or a region the
values for all flocks come before those for one flock. `Renderer.layers` is the one place that says so.

Nothing here starts a process or opens a connection. A release pins `RenderedTarget.digest` together with the digest of
the generic files (`Generic.digest`).
"""
