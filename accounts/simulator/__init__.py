"""A strict Kommo in memory, for tests, the demo and the bench: a second opinion that knows nothing of our client.

A request comes in by `server` (sockets) or `wsgi`, and `addressing` says whose it is. `handling` asks `limiter` and
`faults`, then `api_calls` (token, payment, rights) or `oauth/`; `routes` names the resource in `api/`, which checks the
body (`validation`, `api/field_rules`) and changes the account (`account`, `configuration`, `records`, made of `model`).
`render` and `render_records` show it; `spelling`, `staleness` and `shapes` make the answer odd where `variants` say so.
`world` holds the accounts and what is common to them, `store` writes all to a file, `control` serves /_sim/, `play/`
the page for people. Tests edit by `edits`, start from `seed/` and judge by `compare`.
"""
