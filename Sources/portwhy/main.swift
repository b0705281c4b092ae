import PortwhyCLI
