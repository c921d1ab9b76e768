"""How a call is signed, one module a cloud. Signers are pure: values in, headers out."""
