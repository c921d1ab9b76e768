"""Makes the tables that the signing proxy reads, from packages with named versions.

- `access`  signing_proxy/access.json.gz: the class of every operation (`reviewed` holds what people decided)
- `needs`   signing_proxy/needs.json: which operations a resource type needs
"""
