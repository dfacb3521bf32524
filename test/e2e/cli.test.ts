import { closeSync, existsSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { folder, run, runInProcess, write } from '../harness/commandFolder.ts';
import { launcher, RunningCommand } from '../harness/runningCommand.ts';

/** A device that is full, like a file on a full disk. */
const testWithFullDevice = existsSync('/dev/full') ? test : test.skip;

describe('tributary', () => {
  test.each([
    [['serv'], "error: unknown command 'serv'\n(Did you mean serve?)\nSee `tributary --help`.\n"],
    [
      ['serve', '--prot', '1'],
      "error: unknown option '--prot'\n(Did you mean --port?)\nSee `tributary serve --help`.\n",
    ],
    [
      ['--workers', '2'],
      "error: unknown option '--workers'\nOptions follow a command: `tributary COMMAND [options]`.\nSee `tributary --help`.\n",
    ],
    [['plan'], "error: missing required argument 'operation'\nSee `tributary plan --help`.\n"],
  ])('exits with code 2 for the arguments %p', async (args, stderr) => {
    expect(await run(args)).toEqual({ code: 2, stdout: '', stderr });
  });

  test('lists the commands with exit code 2 without a command, and with exit code 0 for --help', async () => {
    const [none, help] = await Promise.all([run([]), run(['--help'])]);
    expect([none.code, help.code]).toEqual([2, 0]);
    expect(none.stderr).toBe(help.stdout);
    expect(help.stdout).toContain('serve [options]');
  });

  test('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('prints nothing about an output that its reader has closed', async () => {
    await using command = new RunningCommand(folder, ['config', 'schema']);
    command.child.stdout?.destroy();
    expect(await command.ended).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  testWithFullDevice('says in one line that its output could not be written', async () => {
    const full = openSync('/dev/full', 'w');
    await using command = new RunningCommand(folder, ['config', 'schema'], {}, undefined, [
      'ignore',
      full,
      'pipe',
    ]);
    closeSync(full);
    const stderr = 'The output could not be written: ENOSPC: no space left on device, write\n';
    expect(await command.ended).toEqual({ code: 1, stdout: '', stderr });
  });

  test('runs the same commands through the launcher', async () => {
    const [launched, direct] = await Promise.all([
      run(['config', 'schema'], {}, launcher),
      run(['config', 'schema']),
    ]);
    expect(launched).toEqual(direct);
    expect(JSON.parse(direct.stdout).properties.listen.properties.port.default).toBe(4000);
  });
});

describe('a configuration file that is missing', () => {
  const create = 'or create one with `tributary init`.';

  test.each([
    [['serve'], run, `--config or --supergraph, ${create}`],
    [['dev'], run, `--config or --supergraph, ${create}`],
    [['config', 'print'], runInProcess, `--config or --supergraph, ${create}`],
    [['compose'], runInProcess, `--config, ${create}`],
  ])('is reported by %j with its folder and the options that name one', async (args, runCommand, advice) => {
    expect(await runCommand(args)).toEqual({
      code: 2,
      stdout: '',
      stderr: `There is no tributary.yaml in ${realpathSync(folder)}. Name a file with ${advice}\n`,
    });
  });

  test('is reported by its name if --config names it', async () => {
    expect(await runInProcess(['config', 'print', '--config', 'nofile.yaml'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'nofile.yaml does not exist.\n',
    });
  });

  test('is not confused with a file without a supergraph', async () => {
    const config = write('empty.yaml', 'listen: { port: 0 }\n');
    expect((await runInProcess(['config', 'print', '--config', config])).stderr).toBe(
      `The configuration is invalid:\n  supergraph is missing; expected: a section with \`file\`, \`url\`, \`subgraphs\` or, in createGateway, \`load\` (${config})\n`,
    );
  });
});
