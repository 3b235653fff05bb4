"""`backcast token`: makes a token; the tokens file of the gateway contains only its hash."""

import json
import sys

from backcast_engine.errors import InvalidInput, Violation
from services.gateway.auth.tokens import hash_of, make_token, tokens_from_json


def print_token(name: str, rights: str) -> None:
    """Print a new token to standard error, and its entry of the tokens file to standard output.

    Raises InvalidInput if the name or one of the rights is invalid.
    """
    token = make_token()
    entry = {
        "name": name,
        "sha256": hash_of(token),
        "rights": [right.strip() for right in rights.split(",")],
    }
    try:
        # Checked as the gateway will read it.
        tokens_from_json(json.dumps([entry]), "token")
    except InvalidInput as error:
        raise InvalidInput(*(_as_option(wrong) for wrong in error.violations)) from None
    print("the token, which is stored nowhere; the client sets BACKCAST_TOKEN to it:", file=sys.stderr)
    print(f"  {token}", file=sys.stderr)
    print("its entry for the gateway's BACKCAST_TOKENS_FILE:", file=sys.stderr, flush=True)
    print("[[tokens]]")
    for field, value in entry.items():
        # Valid names and rights are written in the same way in TOML and JSON.
        print(f"{field} = {json.dumps(value)}")


def _as_option(wrong: Violation) -> Violation:
    return Violation("NAME" if wrong.field.endswith(".name") else "--rights", wrong.reason)
