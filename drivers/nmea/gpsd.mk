# Logs of real receivers, from the source package of Debian's gpsd (BSD licence), for drivers/nmea. They come from the machine's own package
# sources, with a state of apt of their own.
GPSD     = $(CURDIR)/dist/gpsd
GPSD_APT = apt-get -q -o Dir::State=$(GPSD) -o Dir::State::status=$(GPSD)/status -o Dir::State::lists=$(GPSD)/lists -o Dir::Cache=$(GPSD)/cache \
	-o Dir::Etc::sourcelist=$(GPSD)/gpsd.sources -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root

.PHONY: test-gpsd
test-gpsd: $(GPSD)/logs
	FIELDGATE_GPSD_LOGS=$(GPSD)/logs go test -count=1 -run TestGPSDLogs -v ./drivers/nmea

$(GPSD)/logs:
	mkdir -p $(GPSD)/lists/partial $(GPSD)/cache/archives/partial
	touch $(GPSD)/status
	sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >$(GPSD)/gpsd.sources
	$(GPSD_APT) update
	cd $(GPSD) && $(GPSD_APT) source --download-only gpsd
	mkdir -p $@.part
	tar -xf $(GPSD)/gpsd_*.orig.tar.xz -C $@.part --strip-components=3 --wildcards '*/test/daemon/*'
	mv $@.part $@
