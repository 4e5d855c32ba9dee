"""What crosses a border: numbers that Python, C and assembly must agree on. Imports nothing of ours.

`host_sdk.spec.emit` writes the C header and the Z80 include from these modules.
"""
