"""The data plane: doors, protocols, router, engine, recorder. It knows no Django and asks no database."""
