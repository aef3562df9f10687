"""The page on which a person plays in the simulated Kommo, for the demo (docs/decisions/0018).

`app` lets a request in and answers it; `actions` does what a button says, under the rules of the API; `trouble` makes
an account fail and repairs it; `followers` knows which slaves have what the master has; `page`, `panels` and `html`
write it all down, `play.css` and `play.js` are sent with it.
"""
