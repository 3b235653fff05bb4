"""`python -m backcast.engine` compiles the engine, so that its first use does not."""

import backcast.engine

if __name__ == "__main__":
    print(f"{backcast.engine.__name__} is compiled.")
