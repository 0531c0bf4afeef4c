// Package config turns configuration files into a checked Config.
//
// # Design
//
// A configuration is one TOML file and the conf.d/*.toml beside it, in the order of their names:
// tables are merged, a key that is set again is overridden by the later file, [[sensor]] entries
// add up. Each file is parsed into a tree of nodes that know file, line and column; the trees are
// merged; the merged tree is bound to the Config struct by its `toml` tags; then the values are
// checked. No step stops at the first mistake: every one becomes a Problem, and Load returns all of
// them together, in the order of the text.
//
// The options of a sensor are bound to the struct that its driver's Spec names, so that a misspelt
// option of a driver is found like any other key. The catalogue of drivers, formats and commands is
// handed in; this package opens no device and no connection. Beside the configuration it reads and
// writes only the copy of the last one that worked (load.go), and the machine's id (identity.go);
// and it makes the directories in which a gateway keeps its files (places.go).
//
// ${NAME} inside a string is replaced by the environment's NAME, $$ stands for one dollar. Secrets
// are never in these files: keys that need one name a file, an environment variable or a systemd
// credential.
package config
