import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LEASE_TABLE, type LeaseEvent, type LeaseState, nextLeaseState } from './lease-state.ts';

const states = Object.keys(LEASE_TABLE) as LeaseState[];
const events = Object.keys(LEASE_TABLE.idle) as LeaseEvent[];

test('lease state: every state and event has the outcome of the table', () => {
  for (const state of states) {
    for (const event of events) {
      const outcome = LEASE_TABLE[state][event];
      if (outcome === 'impossible') assert.throws(() => nextLeaseState(state, event), new RegExp(`lease ${state}`));
      else assert.equal(nextLeaseState(state, event), outcome === 'stay' ? state : outcome);
    }
  }
});

test('lease state: mutations are admitted only after every member installed the view', () => {
  for (const state of states) {
    for (const event of events) {
      if (LEASE_TABLE[state][event] === 'serving') assert.deepEqual([state, event], ['installing', 'installed']);
    }
  }
});

test('lease state: a server that another one deposed leads no longer, whatever it was doing', () => {
  for (const state of states) assert.equal(nextLeaseState(state, 'deposed'), 'idle');
});

test('lease state: a revoked lease never serves again without being taken anew', () => {
  for (const event of events) {
    const outcome = LEASE_TABLE.revoking[event];
    assert.ok(['stay', 'idle', 'impossible'].includes(outcome), `${event}: ${outcome}`);
  }
});
