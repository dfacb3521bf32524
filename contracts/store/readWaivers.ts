import { isMap, isSeq, type Node } from 'yaml';
import { suggestName } from '../../gateway/config/findNearestName.ts';
import type { Waiver } from '../contractStore.ts';
import { createFinding, type FileLocation, type Finding } from '../finding.ts';
import { isRuleId, ruleIds } from '../rules.ts';
import { isEmptyNode, nonBlankTextOf, readYaml, type YamlFile } from './readYaml.ts';

interface WaiversResult {
  readonly waivers: readonly Waiver[];
  readonly problems: readonly Finding[];
}

const requiredKeys = ['rule', 'coordinate', 'reason', 'owner', 'expires'] as const;
const waiverKeys = [...requiredKeys, 'subgraph'] as const;
type WaiverKey = (typeof waiverKeys)[number];

/** Reads `waivers.yaml`: a list of waivers. */
export function readWaivers(text: string, file: string): WaiversResult {
  const read = readYaml(text, file, 'waivers-unreadable');
  if ('problems' in read) return { waivers: [], problems: read.problems };
  const { yaml } = read;
  if (isEmptyNode(yaml.root)) return { waivers: [], problems: [] };
  if (!isSeq(yaml.root)) {
    return {
      waivers: [],
      problems: [invalidWaiver('The file is not a list of waivers', yaml.locationOf(yaml.root as Node))],
    };
  }
  const waivers: Waiver[] = [];
  const problems: Finding[] = [];
  for (const item of yaml.root.items) {
    const node = yaml.resolve(item);
    const waiver = readWaiver(node, yaml, problems);
    if (waiver === undefined) continue;
    const duplicate = waivers.find((existing) => isSame(waiver, existing));
    if (duplicate === undefined) waivers.push(waiver);
    else problems.push(invalidWaiver(`Line ${duplicate.location.line} waives the same`, waiver.location));
  }
  return { waivers, problems };
}

function readWaiver(node: Node | null, yaml: YamlFile, problems: Finding[]): Waiver | undefined {
  if (!isMap(node)) {
    problems.push(invalidWaiver('This is not a waiver', node === null ? undefined : yaml.locationOf(node)));
    return undefined;
  }
  const location = yaml.locationOf(node);
  const values = new Map<WaiverKey, string>();
  const before = problems.length;
  for (const { key, keyNode, value } of yaml.entriesOf(node)) {
    const name = waiverKeys.find((candidate) => candidate === key);
    const text = nonBlankTextOf(value);
    if (name === undefined) problems.push(unknownKey(key, yaml.locationOf(keyNode)));
    else if (text !== undefined) {
      values.set(name, text);
      if (name === 'rule' && !isRuleId(text)) {
        problems.push(unknownRule(text, yaml.locationOf(value ?? keyNode)));
      }
    } else if (!isEmptyNode(value))
      problems.push(invalidWaiver(`\`${key}\` is not text`, yaml.locationOf(keyNode)));
  }
  const missing = requiredKeys.filter((key) => !values.has(key));
  if (missing.length > 0) {
    problems.push(
      createFinding('waiver-incomplete', {
        message: `This waiver lacks ${missing.join(', ')}.`,
        location,
      }),
    );
  }
  const expires = values.get('expires');
  if (expires !== undefined && !isCalendarDate(expires)) {
    problems.push(invalidWaiver(`\`expires\` is "${expires}", which is not a day`, location));
  }
  if (problems.length > before) return undefined;
  const { rule, coordinate, reason, owner, subgraph } = Object.fromEntries(values);
  // No required key is missing here.
  const whole = { rule, coordinate, reason, owner, expires } as Omit<Waiver, 'location' | 'subgraph'>;
  return { ...whole, ...(subgraph === undefined ? {} : { subgraph }), location };
}

function isSame(a: Waiver, b: Waiver): boolean {
  return a.rule === b.rule && a.coordinate === b.coordinate && a.subgraph === b.subgraph;
}

/** Whether the text is a day of the calendar, such as `2027-01-31`. */
function isCalendarDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const time = Date.parse(`${text}T00:00:00Z`);
  // For days such as February 30, the parser rolls over or fails.
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

function unknownKey(key: string, location: FileLocation): Finding {
  return invalidWaiver(`\`${key}\` is not known${suggestName(key, waiverKeys)}`, location);
}

function unknownRule(rule: string, location: FileLocation): Finding {
  return invalidWaiver(`"${rule}" is not a rule${suggestName(rule, ruleIds)}`, location);
}

function invalidWaiver(message: string, location: FileLocation | undefined): Finding {
  const sentence = message.endsWith('?') ? message : `${message}.`;
  return createFinding('waiver-invalid', { message: sentence, location });
}
