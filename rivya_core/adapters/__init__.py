"""The common code of both frameworks' packages: arguments, fields, account, pickles, public names."""
