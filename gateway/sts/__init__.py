"""The Security Token Service's protocol (AWS query, version 2011-06-15), pure: no sockets, no database."""
