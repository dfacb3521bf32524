import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { commandTarget } from '../../../bench/targets/command.ts';

const context = {
  port: 4321,
  supergraphFile: '/tmp/a directory/supergraph.graphql',
  subgraphUrls: { accounts: 'http://127.0.0.1:1/graphql', reviews: 'http://127.0.0.1:2/graphql' },
  sharing: false,
  directory: '/tmp/own',
};

describe('a target that is a command', () => {
  test('starts the command with the values of the run', () => {
    const { name, role, program } = commandTarget(
      "router=printf '%s|' {port} '{supergraph}' {directory} {url:reviews}",
    );
    expect({ name, role }).toEqual({ name: 'router', role: 'peer' });
    const { executable = '', args, path } = program(context);
    expect(path).toBe('/graphql');
    expect(execFileSync(executable, args, { encoding: 'utf8' })).toBe(
      '4321|/tmp/a directory/supergraph.graphql|/tmp/own|http://127.0.0.1:2/graphql|',
    );
  });

  test('may have another endpoint, and equals signs in its command', () => {
    const { name, program } = commandTarget('my.router-1/api/v1=env A=b serve');
    expect(name).toBe('my.router-1');
    expect(program(context)).toMatchObject({ path: '/api/v1', args: ['-c', 'exec env A=b serve'] });
  });

  test.each([
    ['./router --port {port}', /form NAME=COMMAND/],
    ['router=', /form NAME=COMMAND/],
    ['router=serve {prot}', /router: unknown placeholder \{prot\}; there are \{port\}/],
  ])('refuses %p', (option, message) => {
    expect(() => commandTarget(option)).toThrow(message);
  });

  test('names the subgraphs if a URL of another one is needed', () => {
    const { program } = commandTarget('router=serve {url:review}');
    expect(() => program(context)).toThrow(
      '{url:review}: there is no such subgraph; there are accounts, reviews.',
    );
  });
});
