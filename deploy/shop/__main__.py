"""`python -m deploy.shop`, which `make shop` calls."""

import argparse
import sys
from pathlib import Path

from deploy.shop.story import run_shop
from shared.errors import InterlockError


def main() -> None:
    parser = argparse.ArgumentParser(prog="make shop", description="Deploy examples/shop, then add a region.")
    parser.add_argument("--json", action="store_true", help="print nothing but the verdict, as one line of JSON")
    parser.add_argument("--plugin-dir", type=Path, help="directory with provider plug-ins, as for terraform init")
    options = parser.parse_args()
    try:
        code = run_shop(json_output=options.json, plugin_dir=options.plugin_dir)
    except InterlockError as error:
        print(f"{error}\n{error.hint or ''}".rstrip(), file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)


if __name__ == "__main__":
    main()
