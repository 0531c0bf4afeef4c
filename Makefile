# fieldgate: see README.md. Everything needs Go and a C compiler; `make cross` needs the cross compilers that .ci/run installs.

# A pipe fails when any part of it does.
SHELL = bash
.SHELLFLAGS = -o pipefail -c

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILT   ?= $(shell git log -1 --format=%cI 2>/dev/null || date -u +%Y-%m-%dT%H:%M:%SZ)
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.built=$(BUILT)

# SQLite with fdatasync instead of fsync: half of what a commit costs the card (buffer/doc.go).
export CGO_ENABLED = 1
export CGO_CFLAGS  = -O2 -DHAVE_FDATASYNC=1 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_DQS=0 -DSQLITE_MAX_EXPR_DEPTH=0
TAGS = sqlite_omit_load_extension,netgo,osusergo

.PHONY: build demo test race lint docs unit test-consumers test-unit-vm test-page page-images bench clean

build:
	go build -trimpath -tags $(TAGS) -ldflags "$(LDFLAGS)" -o bin/fieldgate ./cmd/fieldgate

demo: build
	bin/fieldgate demo $(ARGS)

test:
	go test -tags $(TAGS) -timeout 30m $(ARGS) ./...

race:
	go test -race -tags $(TAGS) -timeout 30m $(ARGS) ./...

# The recipes of docs/consumers with the real programs. Telegraf and Node-RED are built and installed here; what is Debian's
# (mosquitto, influxdb, postgresql, prometheus, nodejs, npm, python3-paho-mqtt, python3-psycopg2) has to be there, or is skipped.
CONSUMERS = TestInfluxDB|TestArchive|TestArchivesShare|TestVerifySQL|TestTelegraf|TestNodeRED|TestMetricsOfDashboardAndAlerts
test-consumers: bin/telegraf bin/node-red
	go test -tags $(TAGS) -count 1 -v -run '^($(CONSUMERS))' ./cmd/fieldgate | grep -v '^=== '

TELEGRAF = github.com/influxdata/telegraf/cmd/telegraf@v1.37.2
bin/telegraf:
	GOBIN=$(CURDIR)/bin CGO_ENABLED=0 nice go install -tags custom,inputs.mqtt_consumer,outputs.influxdb,outputs.sql,parsers.influx $(TELEGRAF)

bin/node-red:
	if ! command -v npm >/dev/null; then echo 'npm is not installed: NODE-RED IS NOT TESTED'; exit 0; fi; \
	mkdir -p bin/node-red.new && cd bin/node-red.new && nice npm install --no-audit --no-fund --omit=optional node-red@4.1.15 && cd .. && mv node-red.new node-red

# Style, and what the compilers for other machines say: only buffer needs C, and nothing needs 64 bits.
lint:
	test -z "$$(gofmt -l . | tee /dev/stderr)"
	go run .ci/comments.go
	go vet -tags $(TAGS) ./...
	go mod tidy -diff
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -tags $(TAGS) ./...
	CGO_ENABLED=0 go vet ./mqtt/... ./drivers/... ./config/... ./systemd/...
	CGO_ENABLED=0 GOARCH=386 go vet ./mqtt/... ./drivers/... ./config/... ./systemd/...

# Pages of docs that are made from code.
docs:
	go test -tags $(TAGS) ./drivers/all -run TestDriversPage -update
	go test -tags $(TAGS) ./drivers/modbus -run TestProfilesPage -update
	go test -tags $(TAGS) ./cmd/fieldgate -run 'TestWordsAreDocumented|TestHandbookCommandLine' -update
	go test -tags $(TAGS) ./internal/health -run TestMetricsTable -update
	go test -tags $(TAGS) ./mqtt -run TestConformanceTable -update

# The unit is good systemd and gives away few rights: exposure at most 1.5 of 10, also with the drop-in that the example's
# configuration needs.
unit: build
	rm -rf bin/unit && mkdir -p bin/unit/drop-in
	sed 's,^ExecStart=/usr/lib/fieldgate/start,ExecStart=$(CURDIR)/systemd/start,;s,^ExecReload=/usr/bin,ExecReload=$(CURDIR)/bin,' systemd/fieldgate.service | tee bin/unit/fieldgate.service >bin/unit/drop-in/fieldgate.service
	bin/fieldgate unit -o bin/unit/drop-in/fieldgate.service.d/rights.conf docs/fieldgate.example.toml
	for dir in bin/unit bin/unit/drop-in; do \
		systemd-analyze verify --man=no $$dir/fieldgate.service && \
		systemd-analyze security --offline=true --threshold=15 $$dir/fieldgate.service | tail -1 || exit 1; \
	done

# The unit and a bus that comes late, in a virtual machine.
test-unit-vm: build
	systemd/vm/run.sh bin/fieldgate systemd/fieldgate.service

# The status page in Chromium, which `apt-get install chromium fonts-dejavu-core` installs.
test-page:
	go test -tags $(TAGS) -v -run 'Page|Accessible' ./internal/page ./cmd/fieldgate

# Images of the page for docs.
page-images:
	mkdir -p docs/images
	FIELDGATE_IMAGES=$(CURDIR)/docs/images go test -tags $(TAGS) -count 1 -v -run TestImages ./internal/page

# Sizes and speeds of docs/benchmarks.md. Nothing else should run on the machine meanwhile.
bench: build
	@ls -l bin/fieldgate | awk '{print "binary " $$5 " bytes"}'
	go test -tags $(TAGS) -timeout 40m -run '^$$' -bench . -benchtime 20x ./cmd/fieldgate
	go test -tags $(TAGS) -run '^$$' -bench . ./internal/sampling ./buffer ./internal/page
	go test -tags $(TAGS) -run '^$$' -bench . -benchtime 1x ./internal/link
	go test -tags $(TAGS) -run '^$$' -bench ModbusLine -benchtime 1x ./drivers/modbus
	cd mqtt/bench && go run .

include cross/targets.mk
include cross/packages.mk
include drivers/nmea/gpsd.mk
include buffer/crash.mk
include cross/powercut.mk
include mqtt/bench/fleet.mk
include internal/platform/aws/aws.mk

clean:
	rm -rf bin dist
