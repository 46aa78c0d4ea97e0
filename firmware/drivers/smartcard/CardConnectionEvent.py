"""What a connection tells its observers."""


class CardConnectionEvent:
    """type: connect, reconnect, disconnect, release, command, response or attrib.

    args: None; [command, protocol] of a command ([code, bytes] of a control command);
    [data, sw1, sw2] of a response (the data of a control command's); [attribute].
    """

    def __init__(self, event_type, args=None):
        self.type = event_type
        self.args = args
