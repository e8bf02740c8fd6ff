"""One module a subcommand of the command line; each is imported when it is used."""
