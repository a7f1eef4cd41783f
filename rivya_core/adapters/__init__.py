"""What the packages of both frameworks share: arguments, fields, account, pickles, public names."""
