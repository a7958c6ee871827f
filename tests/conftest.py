"""What the project's own tests share; the wheel does not ship it."""

pytest_plugins = ["pytester"]  # the plugin's tests run pytest on small projects of their own
