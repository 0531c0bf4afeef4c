# What a broker needs for a fleet: simulated gateways of the real client against a mosquitto of its own, or against BROKER (then
# with PID, if it runs on this machine). FLEET passes flags on; mqtt/bench/fleet says what is measured.
.PHONY: fleet
fleet:
	cd mqtt/bench && CGO_ENABLED=0 go build -o ../../bin/fleet ./fleet
ifdef BROKER
	ulimit -n 20000; bin/fleet -broker $(BROKER) $(if $(PID),-pid $(PID)) $(FLEET)
else
	@dir=$$(mktemp -d); printf 'listener 18830 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\nlog_dest none\n' >$$dir/mosquitto.conf; \
	if [ "$$(id -u)" = 0 ]; then echo 'user root' >>$$dir/mosquitto.conf; fi; \
	ulimit -n 20000; PATH=$$PATH:/usr/sbin mosquitto -c $$dir/mosquitto.conf 2>/dev/null & broker=$$!; sleep 1; \
	bin/fleet -broker mqtt://127.0.0.1:18830 -pid $$broker $(FLEET); s=$$?; kill $$broker; exit $$s
endif
