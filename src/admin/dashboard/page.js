
'use strict';
// What comes from the server is other people's: it gets onto the page as text and in no other way.
const KEY = 'hookah-token', OWN = '$hookah/deliveries', ROWS = 50;
const $ = (id) => document.getElementById(id);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
let token = sessionStorage.getItem(KEY) || '';
// Another one whoever signs in or out: what began before is not shown.
let epoch = 0;
let recent = [], source = null, watching = null, drawing = 0, starts = 0;
const rates = new Map();
// Panels whose right is missing.
const closed = new Set();

function make(tag, text, className = '') {
  const it = document.createElement(tag);
  it.textContent = text;
  it.className = className;
  return it;
}

function state(text, good) {
  if ($('state').textContent !== text) $('state').textContent = text;
  $('state').className = good ? 'good' : '';
}

async function request(path, init = {}) {
  const headers = { Accept: 'application/json', ...init.headers };
  if (token) headers.Authorization = 'Bearer ' + token;
  const began = epoch;
  const answer = await fetch(path, { ...init, headers, cache: 'no-store' });
  if (began !== epoch) throw new Error('');
  if (answer.ok) return answer;
  const text = await answer.text();
  let why = text;
  try {
    const told = JSON.parse(text);
    why = told.title + (told.detail ? ': ' + told.detail : '');
  } catch {
    // It is a text.
  }
  if (answer.status === 401) knock(token ? why : 'A token is needed here.');
  throw Object.assign(new Error(why), { status: answer.status });
}

async function ask(path, init) {
  const text = await (await request(path, init)).text();
  try { return JSON.parse(text); } catch { return { text }; }
}

const PANELS = {
  messages: ['Recent messages',
    'Time', 'Target', 'Outcome', 'Answer', 'Attempts', 'Message', ''],
  topics: ['Topics', 'Topic', 'Streams', 'Callbacks', 'Kept', 'Published', ''],
  lanes: ['Lanes', 'Origin', 'Waiting', 'In flight', 'Breaker', ''],
  subscriptions: ['Subscriptions',
    'Topic', 'Callback', 'State', 'Lease', 'Waiting', 'Last answer'],
};

for (const [name, [title, ...heads]] of Object.entries(PANELS)) {
  const section = make('section', ''), box = make('div', '', 'scroll ' + name);
  const table = make('table', ''), row = table.createTHead().insertRow();
  section.id = name;
  for (const head of heads) row.append(make(head ? 'th' : 'td', head));
  table.createTBody();
  box.tabIndex = 0;
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', title);
  box.append(table, make('p', '', 'hint'));
  section.append(make('h2', title), box);
  $('panels').append(section);
}
$('messages').prepend($('only'));

// Rows stay the same elements while their keys do, so that nobody loses the focus.
function fill(panel, items, why) {
  const [, ...heads] = PANELS[panel];
  const body = $(panel).querySelector('tbody');
  const old = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  let at = body.firstElementChild;
  for (const item of items) {
    const row = old.get(item.key) || make('tr', '');
    if (!old.delete(item.key)) {
      row.dataset.key = item.key;
      row.setAttribute('role', 'row');
      for (const head of heads) {
        const cell = row.insertCell();
        cell.setAttribute('role', 'cell');
        cell.dataset.head = head;
      }
    }
    row.item = item;
    item.cells.forEach((given, number) => paint(row, row.cells[number], given));
    if (row === at) at = at.nextElementSibling;
    else body.insertBefore(row, at);
  }
  for (const row of old.values()) row.remove();
  $(panel).querySelector('.hint').textContent = why || (items.length ? '' : 'Nothing yet.');
}

// A cell is a text, or a list of a text and its class, or buttons and what they do.
function paint(row, cell, given) {
  if (given instanceof Object && !Array.isArray(given)) {
    const names = Object.keys(given);
    if (cell.dataset.names === names.join()) return;
    cell.dataset.names = names.join();
    cell.replaceChildren(...names.map((name) => {
      const button = make('button', name);
      button.type = 'button';
      button.setAttribute('aria-label', name + ' ' + row.item.key);
      button.addEventListener('click', async () => {
        button.disabled = true;
        try {
          await row.item.cells[cell.cellIndex][name]();
        } catch (why) {
          say(why.message, 'Not done');
        }
        button.disabled = false;
      });
      return button;
    }));
    return;
  }
  const [text, kind = ''] = [given].flat();
  if (cell.textContent !== String(text)) cell.textContent = text;
  cell.className = kind;
}

function say(text, title) {
  $('h5x').textContent = title;
  $('more').querySelector('pre').textContent = text;
  if (!$('more').open) $('more').showModal();
}

const short = (text, kind = '') => [text, 'short ' + kind];
const KINDS = { delivered: 'good', failed: 'bad', expired: 'bad', canceled: 'wait', retrying: 'wait' };
const PENDING = ['scheduled', 'queued', 'active', 'retrying'];

function left(until) {
  const minutes = (new Date(until) - Date.now()) / 6e4;
  return minutes > 2880 ? Math.floor(minutes / 1440) + ' d' : Math.ceil(minutes) + ' min';
}

function rowsOf({ id, accepted_at, label = '', topics = [], deliveries }) {
  const base = { id, key: id, at: new Date(accepted_at), label };
  if (!deliveries.length) {
    return [{ ...base, url: topics.join(', '), outcome: 'published', answer: '', attempts: '' }];
  }
  return deliveries.map(({ n, url, status, attempts }) => {
    const last = attempts.at(-1) || {};
    return {
      ...base, key: id + ' ' + n, url, outcome: status, answer: last.status || last.error || '',
      attempts: attempts.length,
    };
  });
}

function ended(event) {
  const { time, data } = JSON.parse(event.data);
  const { id, url, outcome, attempts, status, error, label = '' } = data;
  const now = { id, url, outcome, attempts, answer: status || error || '', label };
  const row = recent.find((row) => row.id === id && row.url === url && PENDING.includes(row.outcome));
  if (row) Object.assign(row, now);
  else if (['', outcome].includes($('status').value)) {
    recent.unshift({ ...now, at: new Date(time * 1000), key: id + ' ' + url });
    recent.splice(ROWS);
  }
  if (!drawing) drawing = setTimeout(draw, 100);
}

function draw() {
  drawing = 0;
  fill('messages', recent.map(({ id, key, at, url, outcome, answer, attempts, label }) => {
    const acts = { Resend: () => act('POST', id, '/resend') };
    if (PENDING.includes(outcome)) acts.Cancel = () => act('DELETE', id, '');
    const more = { [label || '…' + id.slice(-8)]: () => details(id) };
    const shown = short(outcome, KINDS[outcome]);
    return { key, cells: [short(at.toLocaleTimeString()), url, shown, short(answer), short(attempts), more, acts] };
  }));
}

async function act(method, id, rest) {
  await ask('messages/' + id + rest, { method });
  await messages();
}

async function details(id) {
  say(JSON.stringify(await ask('messages/' + id), null, 2), id);
}

// Each panel asks for what it shows; one whose right is missing says which, and is left alone.
async function panel(name, load) {
  try {
    if (!closed.has(name)) await load();
  } catch (why) {
    if (why.status !== 403) throw why;
    closed.add(name);
    fill(name, [], why.message);
  }
}

const messages = () => panel('messages', async () => {
  const status = $('status').value;
  const found = await ask('messages?limit=' + ROWS + (status && '&status=' + status));
  recent = found.messages.flatMap(rowsOf).slice(0, ROWS);
  draw();
});

const topics = () => panel('topics', async () => {
  const found = await ask('topics?limit=' + ROWS), now = performance.now();
  fill('topics', found.topics.filter((it) => it.topic !== OWN).map((it) => {
    const last = rates.get(it.topic) || { count: it.published, now };
    const rate = Math.max(0, it.published - last.count) * 1000 / Math.max(1, now - last.now);
    rates.set(it.topic, { count: it.published, now });
    return {
      key: it.topic,
      cells: [it.topic, it.streams, it.callbacks, it.messages, short(rate.toFixed(1) + '/s'),
        { Watch: () => { follow(it.topic); } }],
    };
  }));
});

const lanes = () => panel('lanes', async () => {
  const found = await ask('lanes?limit=' + ROWS);
  fill('lanes', found.lanes.map((it) => {
    const steer = (word) => async () => {
      await ask('lanes/' + encodeURIComponent(it.origin) + word, { method: 'POST' });
      await lanes();
    };
    const acts = it.paused ? { Resume: steer('/resume') } : { Pause: steer('/pause') };
    const breaker = it.paused ? 'paused' : it.breaker;
    const shown = short(breaker, breaker === 'closed' ? 'good' : 'wait');
    return { key: it.origin, cells: [it.origin, it.waiting, it.in_flight, shown, acts] };
  }));
});

const subscriptions = () => panel('subscriptions', async () => {
  const found = await ask('subscriptions?limit=' + ROWS);
  fill('subscriptions', found.subscriptions.map((it) => ({
    key: it.topic + ' ' + it.callback,
    cells: [it.topic, it.callback, short(it.state),
      short(it.lease_ends ? left(it.lease_ends) : ''), it.waiting,
      short(it.last_status || it.last_error || '')],
  })));
});

const LOADS = [messages, topics, lanes, subscriptions];

// What fails is tried again soon, and the state says so.
async function quietly(...loads) {
  try {
    for (const load of loads) await load();
  } catch {
    if ($('door').hidden) state('reconnecting…');
  }
}

async function start() {
  const began = epoch, mine = ++starts;
  state('connecting…');
  await quietly(...LOADS, listen);
  await wait(3000);
  if (mine === starts && began === epoch && !source && !closed.has('messages') && !document.hidden) start();
}

function listen() {
  if (closed.has('messages')) return state('signed in', true);
  hush();
  if (token) return hear();
  const query = new URLSearchParams({ topic: OWN, format: 'sse' });
  const it = source = new EventSource('stream?' + query);
  it.onopen = opened;
  it.onmessage = ended;
  it.onerror = () => {
    state('reconnecting…');
    // A browser gives up on what is no stream, as while the server starts.
    if (it.readyState === EventSource.CLOSED) again(it);
  };
}

function opened() {
  state('live', true);
  quietly(messages);
}

function again(it) {
  if (it !== source) return;
  state('reconnecting…');
  hush();
  setTimeout(start, 3000);
}

// An EventSource would have the token in its URL, and so in logs on the way.
async function hear() {
  const it = source = new AbortController();
  it.close = () => it.abort();
  try {
    for await (const data of lines({ topic: OWN }, it.signal, opened)) ended({ data });
  } catch {
    // Its end is the same, however it came.
  }
  again(it);
}

// The lines of a stream, once it is open.
async function* lines(query, signal, open) {
  const asked = new URLSearchParams({ ...query, format: 'json' });
  const answer = await request('stream?' + asked, { signal });
  open();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const all = (rest + value).split('\r\n');
    rest = all.pop();
    for (const line of all) if (line) yield line;
  }
}

function hush() {
  if (source) source.close();
  source = null;
}

// Here and not by EventSource, which keeps messages that have an event's name from us.
async function follow(topic) {
  $('watch').elements.topic.value = topic;
  unfollow();
  $('seen').replaceChildren();
  const mine = watching = new AbortController(), told = $('watch').querySelector('output');
  $('stop').disabled = false;
  let last = '';
  while (mine === watching) {
    const query = { topic };
    if (last) query.last_event_id = last;
    else query.since = 'all';
    try {
      const open = () => { told.textContent = 'Watching ' + topic; };
      for await (const line of lines(query, mine.signal, open)) {
        last = see(JSON.parse(line)) || last;
      }
    } catch (why) {
      if (mine === watching && why.status >= 400 && why.status < 500) {
        unfollow();
        told.textContent = why.message;
      }
    }
    if (mine === watching) {
      told.textContent = 'reconnecting…';
      await wait(2000);
    }
  }
}

function see({ id, time, data, text, base64, ...notice }) {
  const item = make('li', ''), at = make('time', (id ? new Date(time * 1000) : new Date())
    .toLocaleTimeString() + ' ');
  const shown = text ?? base64 ?? JSON.stringify(id ? data : notice);
  item.append(at, shown);
  $('seen').prepend(item);
  if ($('seen').childElementCount > 200) $('seen').lastElementChild.remove();
  return id;
}

function unfollow() {
  if (watching) watching.abort();
  watching = null;
  $('stop').disabled = true;
  $('watch').querySelector('output').textContent = '';
}

// Whoever is not let in is asked for a token, and nothing else goes on.
function knock(why) {
  enter('');
  $('asks').textContent = why;
  $('door').hidden = false;
  state('not signed in');
  $('token').focus();
}

function enter(given) {
  epoch++;
  token = given;
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
  $('leave').hidden = !token;
  $('door').hidden = true;
  hush();
  unfollow();
  closed.clear();
  rates.clear();
  recent = [];
  $('seen').replaceChildren();
  for (const name in PANELS) fill(name, []);
}

function form(id, run) {
  const it = $(id), told = it.querySelector('output');
  it.addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = it.querySelector('button');
    button.disabled = true;
    try {
      const text = await run(it.elements);
      if (told && text) told.textContent = text;
      if (told) told.className = 'good';
    } catch (why) {
      if (told) { told.textContent = why.message; told.className = 'bad'; }
    }
    button.disabled = false;
  });
}

// JSON, fields of a form, or text: whichever it looks like.
function dressed(body) {
  try {
    JSON.parse(body);
    return ['application/json', body];
  } catch { /* It is none. */ }
  const lines = body.trim().split(/\s*\n/);
  if (!body.trim() || lines.every((line) => /^[^\s=]+=/.test(line))) {
    return ['application/x-www-form-urlencoded', lines.join('&')];
  }
  return ['text/plain;charset=utf-8', body];
}

async function dispatch(name, fields) {
  const [type, body] = dressed(fields.body.value);
  const taken = await ask('dispatch?' + name + '=' + encodeURIComponent(fields[name].value),
    { method: 'POST', headers: { 'Content-Type': type }, body });
  quietly(messages, topics);
  return 'Taken as ' + taken.id;
}

form('send', (it) => dispatch('_url', it));
form('publish', (it) => dispatch('_topic', it));
form('subscribe', async () => {
  await ask('hub', { method: 'POST', body: new URLSearchParams(new FormData($('subscribe'))) });
  quietly(subscriptions);
  return 'Taken; the callback is asked.';
});
form('watch', (it) => { follow(it.topic.value); });
form('door', async (it) => {
  const given = it.token.value.trim();
  it.token.value = '';
  enter(given);
  start();
});
$('stop').addEventListener('click', unfollow);
$('leave').addEventListener('click', () => { enter(''); start(); });
$('status').addEventListener('change', () => quietly(messages));
$('more').querySelector('button').addEventListener('click', () => $('more').close());
document.addEventListener('visibilitychange', () => {
  hush();
  if (!document.hidden && $('door').hidden) start();
});
setInterval(() => {
  if (source && !document.hidden) quietly(...LOADS);
}, 5000);
enter(token);
start();
