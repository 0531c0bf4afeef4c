module github.com/fieldgate/fieldgate/buffer/bench

go 1.26.0

require github.com/fieldgate/fieldgate v0.0.0

require (
	github.com/eclipse/paho.golang v0.23.0
	github.com/mattn/go-sqlite3 v1.14.52
	github.com/tidwall/wal v1.2.1
	golang.org/x/sys v0.49.0
)

require (
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/tidwall/gjson v1.10.2 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.0 // indirect
	github.com/tidwall/tinylru v1.1.0 // indirect
)

replace github.com/fieldgate/fieldgate => ../..
