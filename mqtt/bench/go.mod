module github.com/fieldgate/fieldgate/mqtt/bench

go 1.26.0

require github.com/fieldgate/fieldgate v0.0.0

require github.com/eclipse/paho.golang v0.23.0

replace github.com/fieldgate/fieldgate => ../..
