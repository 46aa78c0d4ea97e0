import json
import sys

from smartcard.System import readers as get_readers

result = {"readers": [], "errors": []}
for index, reader in enumerate(get_readers()):
    entry = {"index": index, "name": str(reader), "repr": repr(reader), "atr": None}
    connection = None
    try:
        connection = reader.createConnection()
        connection.connect()
        entry["atr"] = "".join(f"{b:02X}" for b in connection.getATR())
        entry["protocol"] = {1: "T=0", 2: "T=1"}.get(connection.getProtocol(), "?")
    except Exception as e:
        result["errors"].append([index, e.__class__.__name__, str(e)])
    finally:
        if connection is not None:
            try:
                connection.disconnect()
            except Exception as e:
                print(e, file=sys.stderr)
    result["readers"].append(entry)
json.dump(result, sys.stdout, indent=1, sort_keys=True)
print()
