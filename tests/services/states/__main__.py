"""Record the shape of each format that has no record yet."""

import sys

from tests.services.states import record

if __name__ == "__main__":
    sys.stdout.writelines(f"recorded {path.name}\n" for path in record())
