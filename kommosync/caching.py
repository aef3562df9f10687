"""The cache in Redis holds JSON: who can write there must not be able to run code here, as with pickles."""

import json
from typing import Any


class JsonSerializer:
    """For Django's RedisCache; raises TypeError for what is no JSON."""

    def dumps(self, value: Any) -> bytes | int:
        if type(value) is int:
            return value  # Redis itself counts with it
        return json.dumps(value).encode()

    def loads(self, stored: bytes) -> Any:
        return json.loads(stored)
