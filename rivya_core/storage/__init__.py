"""Files and servers that several processes share, each opened in one place: what ledgers and task stores build on."""
