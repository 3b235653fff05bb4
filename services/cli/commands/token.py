"""`backcast token`: makes a token; the gateway's file gets its hash only."""

import json
import sys

from services.domain.errors import InvalidInput, Violation
from services.gateway.auth.tokens import hash_of, make_token, tokens_from_json


def print_token(name: str, rights: str) -> None:
    """Print a new token to standard error, and what its file has of it to standard output.

    Raises InvalidInput where the name or one of the rights is none.
    """
    token = make_token()
    entry = {
        "name": name,
        "sha256": hash_of(token),
        "rights": [right.strip() for right in rights.split(",")],
    }
    try:
        # As the gateway will see it.
        tokens_from_json(json.dumps([entry]), "token")
    except InvalidInput as error:
        raise InvalidInput(*(_as_option(wrong) for wrong in error.violations)) from None
    print("the token, which is kept nowhere; its client sets BACKCAST_TOKEN to it:", file=sys.stderr)
    print(f"  {token}", file=sys.stderr)
    print("its entry in the file that the gateway's BACKCAST_TOKENS_FILE names:", file=sys.stderr, flush=True)
    print("[[tokens]]")
    for field, value in entry.items():
        # Names and rights that are allowed look the same in TOML as in JSON.
        print(f"{field} = {json.dumps(value)}")


def _as_option(wrong: Violation) -> Violation:
    return Violation("NAME" if wrong.field.endswith(".name") else "--rights", wrong.reason)
