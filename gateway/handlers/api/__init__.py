"""The REST API's endpoints: Input → store → Answer, a coroutine each."""
