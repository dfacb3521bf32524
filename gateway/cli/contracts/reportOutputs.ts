import { closeSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { WriteStream } from 'node:tty';
import type { CheckReport } from '../../../contracts/report/checkReport.ts';
import { type ReportFormat, renderReport, reportFormats } from '../../../contracts/report/renderReport.ts';
import { createDirectory } from '../../../contracts/store/createDirectory.ts';
import { repositoryPath } from '../../../contracts/store/displayPath.ts';
import { CommandError, exitCode } from '../exitCode.ts';

/** One `--format` or `--out`, in the order of the command line. */
export interface ReportArgument {
  readonly option: 'format' | 'out';
  readonly value: string;
}

export interface ReportOutput {
  readonly format: ReportFormat;
  /** Omitted: standard output. */
  readonly file?: string | undefined;
}

/** The outputs of the report: each `--out` belongs to the `--format` before it. The default is text on standard
 *  output.
 *  @throws {CommandError} for arguments that contradict each other, and for a file that cannot be written. */
export function readReportOutputs(given: readonly ReportArgument[]): readonly ReportOutput[] {
  const outputs: ReportOutput[] = [];
  for (const { option, value } of given) {
    const last = outputs.at(-1);
    if (option === 'format') outputs.push({ format: readFormat(value) });
    else if (last === undefined) outputs.push({ format: 'text', file: value });
    else if (last.file === undefined) outputs[outputs.length - 1] = { ...last, file: value };
    else
      throw usageError(
        `--out ${value}: ${last.format} is already written to ${last.file}. Put another --format before this --out.`,
      );
  }
  rejectDuplicateFiles(outputs);
  for (const { file } of outputs) if (file !== undefined) rejectUnwritable(file);
  return outputs.length === 0 ? [{ format: 'text' }] : outputs;
}

/** The later output would overwrite the earlier one. */
function rejectDuplicateFiles(outputs: readonly ReportOutput[]): void {
  const formats = new Map<string, ReportFormat>();
  for (const { format, file } of outputs) {
    if (file === undefined) continue;
    const earlier = formats.get(resolve(file));
    if (earlier !== undefined)
      throw usageError(`--out ${file}: ${earlier} and ${format} cannot share one file.`);
    formats.set(resolve(file), format);
  }
}

/** Writes the report to every output.
 *  @throws {CommandError} when a file cannot be written. */
export function writeReport(report: CheckReport, outputs: readonly ReportOutput[]): void {
  for (const { format, file } of outputs) {
    const color = file === undefined && supportsColor(process.stdout);
    const text = renderReport(report, format, { color, repositoryPathOf: repositoryPath });
    if (file === undefined) process.stdout.write(text);
    else accessFile(file, () => writeFileSync(file, text));
  }
}

/** Before a check, which may take a minute, and whose report would be lost. */
function rejectUnwritable(file: string): void {
  accessFile(file, () => {
    const found = statSync(file, { throwIfNoEntry: false });
    // The reader of a pipe would get its end.
    if (found?.isFile() === false && !found.isDirectory()) return;
    closeSync(openSync(file, 'a'));
    if (found === undefined) rmSync(file);
  });
}

function accessFile(file: string, action: () => void): void {
  try {
    createDirectory(dirname(file));
    action();
  } catch (cause) {
    throw usageError(`${file} cannot be written: ${(cause as Error).message}`, cause);
  }
}

function readFormat(value: string): ReportFormat {
  const format = reportFormats.find((known) => known === value);
  if (format !== undefined) return format;
  throw usageError(`--format ${value} is not known; expected: one of ${reportFormats.join(', ')}.`);
}

function usageError(message: string, cause?: unknown): CommandError {
  return new CommandError(exitCode.usageError, message, { cause });
}

/** Whether the stream is a terminal that supports colours, and `NO_COLOR` is not set. */
export function supportsColor(stream: Writable): boolean {
  return stream instanceof WriteStream && stream.hasColors();
}
