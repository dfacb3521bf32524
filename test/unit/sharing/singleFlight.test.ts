import { describe, expect, test } from '@jest/globals';
import { type Flight, type Leader, SingleFlight } from '../../../gateway/sharing/singleFlight.ts';

function createFlights() {
  const log: string[] = [];
  const leader: Leader<string> = {
    onJoin: (joiner) => log.push(`${joiner} joined`),
    onLeave: (joiner) => log.push(`${joiner} left`),
  };
  return { log, leader, flights: new SingleFlight<string>() };
}

describe('a single flight', () => {
  test('has one leader per key until it is settled', () => {
    const { leader, flights } = createFlights();
    const first = flights.tryLead('a', leader);
    expect(flights.tryLead('a', leader)).toBeUndefined();
    expect(flights.tryLead('b', leader)).toBeDefined();
    first?.settle();
    expect(flights.tryLead('b', leader)).toBeUndefined();
    expect(flights.tryLead('a', leader)).toBeDefined();
  });

  test('tells its leader who joins and who leaves, each once', () => {
    const { log, leader, flights } = createFlights();
    const flight = flights.tryLead('a', leader);
    flight?.add('first');
    flights.find('a')?.join('second');
    flight?.leave('second');
    flight?.leave('second');
    flight?.remove('first');
    flight?.leave('first');
    expect(log).toEqual(['second joined', 'second left']);
    expect(flight?.joiners.length).toBe(0);
  });

  test('returns its joiners in order when it is settled, and forgets them', () => {
    const { log, leader, flights } = createFlights();
    const flight = flights.tryLead('a', leader);
    for (const joiner of ['x', 'y', 'z']) flight?.join(joiner);
    flight?.leave('y');
    expect(flight?.settle()).toEqual(['x', 'z']);
    expect(flight?.settle()).toEqual([]);
    flight?.leave('x');
    expect(log.slice(3)).toEqual(['y left']);
  });

  test('that was settled does not end a later one with its key', () => {
    const { leader, flights } = createFlights();
    const first = flights.tryLead('a', leader);
    first?.settle();
    const second = flights.tryLead('a', leader);
    first?.settle();
    expect(flights.find('a')).toBe(second);
  });

  test('that is not open any more is not joined, and continues beside a later one', () => {
    const { log, leader, flights } = createFlights();
    let isOpen = true;
    const closing: Leader<string> = {
      ...leader,
      get isOpen() {
        return isOpen;
      },
    };
    const first = flights.tryLead('a', closing);
    flights.find('a')?.join('early');
    isOpen = false;
    expect(flights.find('a')).toBeUndefined();
    const second = flights.tryLead('a', leader);
    expect(first?.settle()).toEqual(['early']);
    expect([flights.find('a') === second, log]).toEqual([true, ['early joined']]);
  });

  test('without a key is found by no other caller', () => {
    const { leader } = createFlights();
    const byKey = new Map<string, Flight<string>>();
    expect(new SingleFlight(byKey).leadAlone(leader).joiners.length).toBe(0);
    expect(byKey.size).toBe(0);
  });
});
