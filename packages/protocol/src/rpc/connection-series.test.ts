import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionSeries } from './connection-series.ts';

class Connection {
  isClosed = false;
  close(): void {
    this.isClosed = true;
  }
}

const place = (name: number, number: number) => ({ name: new Uint8Array(16).fill(name), number });

test('series: a later connection closes the one before, and one that comes late is not taken', () => {
  const series = new ConnectionSeries<Connection>();
  const [first, second, third] = [new Connection(), new Connection(), new Connection()];
  assert.equal(series.begun(place(1, 1), first), true);
  assert.equal(series.begun(place(1, 3), third), true);
  assert.deepEqual([first.isClosed, third.isClosed], [true, false]);
  series.ended(place(1, 1), first); // it was not the latest
  assert.equal(series.begun(place(1, 2), second), false);
  assert.equal(third.isClosed, false);
});

test('series: connections of others, and those that tell nothing of it, stay', () => {
  const series = new ConnectionSeries<Connection>();
  const nowhere = { name: new Uint8Array(0), number: 0 };
  const connections = [place(1, 1), place(2, 1), nowhere, nowhere].map((each) => {
    const connection = new Connection();
    assert.equal(series.begun(each, connection), true);
    return connection;
  });
  assert.ok(connections.every(({ isClosed }) => !isClosed));
});

test('series: of one that is over nothing is kept', () => {
  const series = new ConnectionSeries<Connection>();
  const connection = new Connection();
  series.begun(place(1, 7), connection);
  series.ended(place(1, 7), connection);
  assert.equal(series.begun(place(1, 1), connection), true);
});
