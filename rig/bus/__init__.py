"""The bus: message types and their encoding, the hub, the transport of the subject, clients."""
