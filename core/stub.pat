XmcError:
    class XmcError(ValueError):
        """A line of a text file that cannot be read: what kind of fault, the line, what was found."""
