// An SMSC made of node-smpp. Its one argument is JSON: where to call us (`line`), where to listen
// (`port`), and the switches below, which the order `conduct` changes later.
//
//   accounts    who may bind: system_id -> password
//   most_binds  binds of one system_id; one more is refused ESME_RALYBND (0: any number)
//   receipts    whether a submit_sm that asks for receipts gets them
//   states      the states of each receipt in turn; all but the last are intermediate
//   form        of a receipt: "both", "tlv" (no text) or "text" (no TLVs)
//   reply_ids   how submit_sm_resp writes an id: "hex" or "dec"; receipt_ids: how a receipt does
//   early       the receipt is sent before the submit_sm_resp
//   delay       milliseconds before a receipt
//   other_bind  the receipt goes to another bind of the account than the text came from
//   throttle    so many submit_sm are refused ESME_RTHROTTLED first
//   slow        milliseconds before a submit_sm is answered
//   lose        so many submit_sm are taken and never answered
//   drop_after  the n-th submit_sm from now is taken, and the connection dropped unanswered
//   tls         {key, cert}: files
'use strict';

const fs = require('fs');
const net = require('net');
const smpp = require('smpp');

const conduct = Object.assign({
	most_binds: 0, receipts: true, states: ['DELIVRD'], form: 'both',
	reply_ids: 'dec', receipt_ids: 'dec', early: false, delay: 0, other_bind: false,
	throttle: 0, slow: 0, lose: 0, drop_after: 0, tls: null,
}, JSON.parse(process.argv[2]));

const STATES = {
	ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8,
};
const bound = []; // sessions, oldest first; each has .account and .receives
const undelivered = []; // deliver_sm that no bind has answered ESME_ROK yet
const parts = new Map(); // of long texts that are not whole
let nextId = conduct.first_id;
let nextReference = 1;
let unanswered = 0; // submit_sm

// -- the line to the test ------------------------------------------------------------------------

const line = net.connect(conduct.line);
line.on('error', () => process.exit(0));
line.on('close', () => process.exit(0));
let heard = '';
line.on('data', (octets) => {
	heard += octets;
	let end;
	while ((end = heard.indexOf('\n')) >= 0) {
		const order = JSON.parse(heard.slice(0, end));
		heard = heard.slice(end + 1);
		obey[order.do](order);
	}
});

function report(event, details) {
	line.write(JSON.stringify(Object.assign({ event }, details)) + '\n');
}

const obey = {
	conduct: (order) => Object.assign(conduct, order.changes),
	mo: (order) => sendText(order),
	deliver: (order) => deliver(order.account || 'segue', order.pdu),
	enquire: () => bound.forEach((session) => session.enquire_link({}, () => report('alive'))),
	nack: (order) => bound.forEach((session) => session.generic_nack(
		{ command_status: order.status, sequence_number: order.sequence })),
	unbind: () => bound.forEach((session) => session.unbind({}, () => {
		report('unbound', { asked: 'smsc' });
		session.close();
	})),
	drop: () => bound.slice().forEach((session) => session.destroy()),
};

// -- sessions ------------------------------------------------------------------------------------

const files = conduct.tls && {
	key: fs.readFileSync(conduct.tls.key), cert: fs.readFileSync(conduct.tls.cert),
};
const server = smpp.createServer(files || {}, (session) => {
	report('connected');
	session.on('error', (error) => report('error', { said: String(error.message) }));
	session.on('close', () => leave(session));
	for (const mode of ['transceiver', 'transmitter', 'receiver']) {
		session.on(`bind_${mode}`, (pdu) => bind(session, pdu, mode));
	}
	session.on('submit_sm', (pdu) => submit(session, pdu));
	session.on('enquire_link', (pdu) => {
		report('enquired');
		session.send(pdu.response());
	});
	session.on('unbind', (pdu) => {
		report('unbound', { asked: 'esme' });
		session.send(pdu.response());
		session.close();
	});
	session.on('unknown', (pdu) => {
		report('unknown', { command: pdu.command_id });
		session.send(pdu.response());
	});
});
server.on('tlsClientError', () => report('handshake_failed'));
server.listen(conduct.port, '127.0.0.1', () => report('listening'));

function bind(session, pdu, mode) {
	const account = pdu.system_id;
	const held = bound.filter((other) => other.account === account).length;
	let status = smpp.ESME_ROK;
	if (!(account in conduct.accounts)) {
		status = smpp.ESME_RINVSYSID;
	} else if (conduct.accounts[account] !== pdu.password) {
		status = smpp.ESME_RINVPASWD;
	} else if (conduct.most_binds && held >= conduct.most_binds) {
		status = smpp.ESME_RALYBND;
	}
	report('bind', { account, mode, status });
	if (status) {
		session.send(pdu.response({ command_status: status }));
		session.close();
		return;
	}
	session.account = account;
	session.receives = mode !== 'transmitter';
	session.awaited = new Set();
	bound.push(session);
	session.send(pdu.response({ system_id: 'node-smpp' }));
	pump(account);
}

function leave(session) {
	const place = bound.indexOf(session);
	if (place >= 0) {
		bound.splice(place, 1);
		session.awaited.forEach((delivery) => undelivered.push(delivery));
		session.awaited.clear();
	}
	report('disconnected');
}

// -- texts from the ESME -------------------------------------------------------------------------

function submit(session, pdu) {
	if (session.socket.destroyed) {
		return;
	}
	if (conduct.throttle > 0) {
		conduct.throttle--;
		report('throttled');
		session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
		return;
	}
	const number = nextId++;
	const id = number.toString(conduct.reply_ids === 'hex' ? 16 : 10);
	unanswered++;
	read(pdu, id);
	if (conduct.drop_after > 0 && --conduct.drop_after === 0) {
		report('dropped');
		session.destroy();
		reportOn(session, pdu, number);
		return;
	}
	if (conduct.lose > 0) {
		conduct.lose--;
		reportOn(session, pdu, number);
		return;
	}
	if (conduct.early) {
		reportOn(session, pdu, number);
	}
	const answer = () => {
		unanswered--;
		session.send(pdu.response({ message_id: id }));
		if (!conduct.early) {
			reportOn(session, pdu, number);
		}
	};
	if (conduct.slow) {
		setTimeout(answer, conduct.slow);
	} else {
		answer();
	}
}

/** Report the segment as node-smpp reads it, and the text once all its segments are there. */
function read(pdu, id) {
	const body = pdu.short_message.message.length ? pdu.short_message : pdu.message_payload;
	const piece = { from: pdu.source_addr, to: pdu.destination_addr, coding: pdu.data_coding };
	report('submit', Object.assign({ id, unanswered, text: String(body.message) }, piece));
	const place = (body.udh || []).find((element) => element[0] === 0 || element[0] === 8);
	if (!place) {
		report('text', Object.assign({ text: String(body.message), segments: 1, ids: [id] }, piece));
		return;
	}
	const [number, total] = [place[place.length - 1], place[place.length - 2]];
	const key = [piece.from, piece.to, place.slice(0, -2).toString('hex'), total].join(' ');
	const found = parts.get(key) || new Map();
	parts.set(key, found.set(number, { text: body.message, id }));
	if (found.size === total) {
		parts.delete(key);
		const ordered = [...found.keys()].sort((a, b) => a - b).map((n) => found.get(n));
		const text = ordered.map((one) => one.text).join('');
		const ids = ordered.map((one) => one.id);
		const reference = parseInt(place.slice(2, -2).toString('hex'), 16);
		report('text', Object.assign({ text, segments: total, ids, reference }, piece));
	}
}

// -- receipts and texts to the ESME --------------------------------------------------------------

function reportOn(session, pdu, number) {
	if (!conduct.receipts || !(pdu.registered_delivery & 3)) {
		return;
	}
	const id = number.toString(conduct.receipt_ids === 'hex' ? 16 : 10);
	const avoided = conduct.other_bind ? session : null;
	const last = conduct.states.length - 1;
	const send = () => conduct.states.forEach((state, place) => deliver(session.account, {
		source_addr_ton: pdu.dest_addr_ton, source_addr_npi: pdu.dest_addr_npi,
		source_addr: pdu.destination_addr,
		dest_addr_ton: pdu.source_addr_ton, dest_addr_npi: pdu.source_addr_npi,
		destination_addr: pdu.source_addr,
		esm_class: place < last ? 0x20 : 0x04,
		...receiptBody(id, state),
	}, avoided));
	if (conduct.delay) {
		setTimeout(send, conduct.delay);
	} else {
		send();
	}
}

function receiptBody(id, state) {
	const delivered = state === 'DELIVRD';
	const text = `id:${id} sub:001 dlvrd:00${delivered ? 1 : 0} submit date:2611211010 `
		+ `done date:2611211011 stat:${state} err:000 text:hello`;
	const tlvs = { receipted_message_id: id, message_state: STATES[state] };
	if (conduct.form === 'text') {
		return { short_message: text };
	}
	return conduct.form === 'tlv' ? tlvs : { short_message: text, ...tlvs };
}

/** {from, to, text, size}: cut into segments of `size` characters if it is longer than that. */
function sendText(order) {
	const characters = Array.from(order.text);
	const size = order.size || 153;
	const alphabet = smpp.encodings.detect(order.text);
	const addresses = {
		source_addr_ton: 1, source_addr_npi: 1, source_addr: order.from,
		dest_addr_ton: 3, dest_addr_npi: 0, destination_addr: order.to,
		// What node-smpp calls ASCII is the GSM alphabet, which carriers write as 0.
		data_coding: alphabet === 'ASCII' ? 0 : smpp.consts.ENCODING[alphabet],
	};
	if (characters.length <= size) {
		deliver('segue', { ...addresses, short_message: order.text });
		return;
	}
	const total = Math.ceil(characters.length / size);
	const reference = nextReference++ & 0xff;
	let numbers = Array.from({ length: total }, (_, n) => n + 1);
	if (order.backwards) {
		numbers = numbers.reverse();
	}
	for (const number of numbers) {
		deliver('segue', {
			...addresses,
			short_message: {
				udh: Buffer.from([5, 0, 3, reference, total, number]),
				message: characters.slice((number - 1) * size, number * size).join(''),
			},
		});
	}
}

function deliver(account, pdu, avoided) {
	undelivered.push({ account, pdu, avoided });
	pump(account);
}

/** Everything that waits goes to the account's binds; what is not answered ESME_ROK waits again. */
function pump(account) {
	for (const delivery of undelivered.splice(0)) {
		const session = bound.find((one) => one.account === account && one.receives
			&& one !== delivery.avoided && !one.socket.destroyed);
		if (delivery.account !== account || !session) {
			undelivered.push(delivery);
			continue;
		}
		session.awaited.add(delivery);
		// A copy: node-smpp writes into what it encodes.
		session.deliver_sm({ ...delivery.pdu }, (answer) => {
			session.awaited.delete(delivery);
			report('answered', { status: answer.command_status, esm_class: delivery.pdu.esm_class || 0 });
			if (answer.command_status) {
				undelivered.push(delivery);
				setTimeout(() => pump(account), 20);
			}
		});
	}
}
