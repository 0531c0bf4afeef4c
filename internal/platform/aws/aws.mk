# Amazon's own device client as judge of the fake services, and a drain of 100,000 readings before
# them. Needs Node.js with npm.

.PHONY: test-aws

bin/aws/node_modules/aws-iot-device-sdk-v2:
	mkdir -p bin/aws
	cd bin/aws && npm install --no-audit --no-fund --prefix . aws-iot-device-sdk-v2@1.28.0

test-aws: bin/aws/node_modules/aws-iot-device-sdk-v2
	go test -tags $(TAGS) -count 1 -v -run TestJudge ./internal/platform/aws/awstest
	FIELDGATE_AWS=100000 go test -tags $(TAGS) -count 1 -v -timeout 20m -run 'TestAWS$$' ./cmd/fieldgate
