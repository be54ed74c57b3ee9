"""The dead-letter queue inside a pipeline's process: ledger, dispatch, parked keys.

`compute.core.dlq_manager.DLQManager` connects the parts.
"""
