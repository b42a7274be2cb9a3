"""What a command imports, told by the process that ran it."""

# Runs the command as the console script does, then tells the top-level packages and marsseg's plugin modules.
PROBE = """
import atexit, json, sys
@atexit.register
def tell():
    seen = {name for name in sys.modules if "." not in name or name.startswith("marsseg_plugins.")}
    with open("modules.json", "w") as file:
        json.dump(sorted(seen), file)
sys.argv[0] = "marsseg"
from marsseg_core.cli.main import main
main()
"""

BACKENDS = {"tensorflow", "jax", "torch"}
