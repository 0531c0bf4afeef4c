// The fake services as Amazon's own device client sees them. Usage: node judge.js HOST PORT
const {mqtt5, iotshadow, iotjobs, iotidentity, mqtt_request_response} = require('aws-iot-device-sdk-v2');
const {once} = require('events');
const assert = require('assert');

const options = {maxRequestResponseSubscriptions: 5, maxStreamingSubscriptions: 3, operationTimeoutInSeconds: 8};

async function rejects(promise, code) {
	try {
		await promise;
	} catch (e) {
		const modeled = e.modeledError || e;
		assert.strictEqual(modeled.code ?? modeled.statusCode, code, `code of ${JSON.stringify(modeled)}`);
		return;
	}
	assert.fail(`a request was taken that should be rejected with ${code}`);
}

async function shadow(client) {
	const s = iotshadow.IotShadowClientv2.newFromMqtt5(client, options);
	const thing = {thingName: 'judge'};
	await rejects(s.getShadow(thing), 404);
	const stream = s.createShadowDeltaUpdatedStream(thing);
	const opened = once(stream, 'subscriptionStatus');
	stream.open();
	await opened;
	const delta = once(stream, 'incomingPublish');
	let r = await s.updateShadow({...thing, state: {desired: {every: '5s', deep: {a: 1, b: 2}}, reported: {every: '1s', deep: {a: 1}}}});
	assert.strictEqual(r.version, 1);
	const [event] = await delta;
	assert.deepStrictEqual(event.message.state, {every: '5s', deep: {b: 2}});
	r = await s.getShadow(thing);
	assert.deepStrictEqual(r.state.delta, {every: '5s', deep: {b: 2}});
	assert.deepStrictEqual(r.state.desired, {every: '5s', deep: {a: 1, b: 2}});
	await rejects(s.updateShadow({...thing, version: 7, state: {reported: {every: '5s'}}}), 409);
	r = await s.updateShadow({...thing, version: 1, state: {reported: {every: '5s', deep: {b: 2}}}});
	assert.strictEqual(r.version, 2);
	r = await s.getShadow(thing);
	assert.strictEqual(r.state.delta, undefined);
	await s.updateShadow({...thing, state: {desired: {deep: null}}});
	r = await s.getShadow(thing);
	assert.deepStrictEqual(r.state.desired, {every: '5s'});
	await rejects(s.updateShadow({...thing, state: {reported: {big: 'x'.repeat(9000)}}}), 413);
	await s.deleteShadow(thing);
	await rejects(s.getShadow(thing), 404);
	const named = {thingName: 'judge', shadowName: 'settings'};
	await s.updateNamedShadow({...named, state: {desired: {x: 1}}});
	assert.strictEqual((await s.getNamedShadow(named)).state.desired.x, 1);
	stream.close();
	s.close();
}

async function jobs(client) {
	const j = iotjobs.IotJobsClientv2.newFromMqtt5(client, options);
	const thing = {thingName: 'worker'}; // two jobs wait for it
	let r = await j.startNextPendingJobExecution(thing);
	assert.strictEqual(r.execution.jobId, 'one');
	assert.deepStrictEqual(r.execution.jobDocument, {operation: 'ping'});
	assert.strictEqual(r.execution.status, 'IN_PROGRESS');
	r = await j.startNextPendingJobExecution(thing);
	assert.strictEqual(r.execution.jobId, 'one'); // until it has ended
	await j.updateJobExecution({...thing, jobId: 'one', status: 'SUCCEEDED', executionNumber: r.execution.executionNumber, statusDetails: {state: 'succeeded'}});
	await rejects(j.updateJobExecution({...thing, jobId: 'one', status: 'FAILED'}), 'InvalidStateTransition');
	await rejects(j.updateJobExecution({...thing, jobId: 'none', status: 'FAILED'}), 'ResourceNotFound');
	r = await j.startNextPendingJobExecution(thing);
	assert.strictEqual(r.execution.jobId, 'two');
	j.close();
}

async function identity(client, csr) {
	const i = iotidentity.IotIdentityClientv2.newFromMqtt5(client, options);
	await rejects(i.createCertificateFromCsr({certificateSigningRequest: 'nothing'}), 400);
	const made = await i.createCertificateFromCsr({certificateSigningRequest: csr});
	assert.match(made.certificatePem, /BEGIN CERTIFICATE/);
	await rejects(i.registerThing({templateName: 'none', certificateOwnershipToken: made.certificateOwnershipToken, parameters: {SerialNumber: '1'}}), 400);
	const thing = await i.registerThing({templateName: 'fleet', certificateOwnershipToken: made.certificateOwnershipToken, parameters: {SerialNumber: '0042'}});
	assert.strictEqual(thing.thingName, 'gw-0042');
	assert.strictEqual(thing.deviceConfiguration.topic_prefix, 'plant7');
	i.close();
}

(async () => {
	const client = new mqtt5.Mqtt5Client({hostName: process.argv[2], port: Number(process.argv[3]), connectProperties: {clientId: 'judge', keepAliveIntervalSeconds: 60}});
	const connected = once(client, 'connectionSuccess');
	client.start();
	await connected;
	await shadow(client);
	await jobs(client);
	await identity(client, require('fs').readFileSync(0, 'utf8'));
	const stopped = once(client, 'stopped');
	client.stop();
	await stopped;
	console.log('as documented');
	process.exit(0);
})().catch((e) => { console.error(e); process.exit(1); });
