// node-smpp as an ESME: `submit PORT N WINDOW`, `latency PORT N WINDOW`, `receive PORT N`,
// `both PORT N WINDOW`. One line of JSON at the end: messages a second, microseconds of CPU for
// each, and with `latency` the milliseconds from submit_sm to its answer.
'use strict';
const smpp = require('smpp');

const [mode, port, count, window] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const TEXT = 'Your appointment at the harbour clinic is at 10 h 15 a';
const waits = [];
let sent = 0, answered = 0, received = 0, began, spent;

const session = smpp.connect({ host: '127.0.0.1', port });
session.socket.setNoDelay(true); // the best it can do: with receipts Nagle would cost it 40 ms a time
session.on('error', (error) => {
	console.error(String(error));
	process.exit(1);
});
session.on('connect', () => session.bind_transceiver({ system_id: 'fast', password: 'x' }, begin));
session.on('deliver_sm', (pdu) => {
	if (began === undefined) {
		begin();
	}
	session.send(pdu.response());
	received++;
	look();
});

function begin() {
	if (began !== undefined) {
		return;
	}
	began = process.hrtime.bigint();
	spent = process.cpuUsage();
	if (mode !== 'receive') {
		for (let n = 0; n < window; n++) {
			submit();
		}
	}
}

function submit() {
	if (sent >= count) {
		return;
	}
	const number = sent++;
	const since = mode === 'latency' ? process.hrtime.bigint() : 0n;
	session.submit_sm({
		source_addr_ton: 5, source_addr: 'Segue',
		dest_addr_ton: 1, dest_addr_npi: 1,
		destination_addr: '3361' + String(number).padStart(8, '0'),
		short_message: TEXT, registered_delivery: 1,
	}, (answer) => {
		if (answer.command_status) {
			throw new Error(`refused: ${answer.command_status}`);
		}
		if (since) {
			waits.push(Number(process.hrtime.bigint() - since) / 1e6);
		}
		answered++;
		submit();
		look();
	});
}

function look() {
	if ((mode !== 'receive' && answered < count)
		|| ((mode === 'receive' || mode === 'both') && received < count)) {
		return;
	}
	const seconds = Number(process.hrtime.bigint() - began) / 1e9;
	const cpu = process.cpuUsage(spent);
	waits.sort((a, b) => a - b);
	console.log(JSON.stringify({
		rate: count / seconds, cpu: (cpu.user + cpu.system) / count,
		p50: waits[waits.length >> 1] || 0, p99: waits[Math.floor(waits.length * 0.99)] || 0,
	}));
	// The last answer is still to be written.
	session.unbind(() => process.exit(0));
}
