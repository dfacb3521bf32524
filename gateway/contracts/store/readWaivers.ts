import { isMap, isSeq, type Node } from 'yaml';
import { nearestName } from '../../config/nearestName.ts';
import type { Waiver } from '../contractStore.ts';
import type { Finding, Place } from '../finding.ts';
import { ruleNames } from '../ruleNames.ts';
import { problem } from './problem.ts';
import { isNothing, readYaml, textOf, type YamlFile } from './readYaml.ts';

export interface ReadWaivers {
  readonly waivers: readonly Waiver[];
  readonly problems: readonly Finding[];
}

const required = ['rule', 'coordinate', 'reason', 'owner', 'expires'] as const;
const known = [...required, 'subgraph'] as const;
type WaiverKey = (typeof known)[number];

const example =
  'A waiver has `rule`, `coordinate`, `reason`, `owner`, `expires: 2027-01-31` and, where it is for one subgraph only, `subgraph`.';

/** `waivers.yaml`: a list of waivers. */
export function readWaivers(text: string, file: string): ReadWaivers {
  const read = readYaml(text, file, 'waivers-unreadable');
  if ('problems' in read) return { waivers: [], problems: read.problems };
  const { yaml } = read;
  if (isNothing(yaml.root)) return { waivers: [], problems: [] };
  if (!isSeq(yaml.root)) {
    return {
      waivers: [],
      problems: [invalid('The file is no list of waivers', yaml.placeOf(yaml.root as Node))],
    };
  }
  const waivers: Waiver[] = [];
  const problems: Finding[] = [];
  for (const item of yaml.root.items) {
    const node = yaml.resolve(item);
    const waiver = readWaiver(node, yaml, problems);
    if (waiver === undefined) continue;
    const twin = waivers.find((other) => isSame(waiver, other));
    if (twin === undefined) waivers.push(waiver);
    else problems.push(invalid(`Line ${twin.place.line} waives the same`, waiver.place));
  }
  return { waivers, problems };
}

function readWaiver(node: Node | null, yaml: YamlFile, problems: Finding[]): Waiver | undefined {
  if (!isMap(node)) {
    problems.push(invalid('This is no waiver', node === null ? undefined : yaml.placeOf(node)));
    return undefined;
  }
  const place = yaml.placeOf(node);
  const said = new Map<WaiverKey, string>();
  const before = problems.length;
  for (const { key, keyNode, value } of yaml.entriesOf(node)) {
    const name = known.find((candidate) => candidate === key);
    const text = textOf(value);
    if (name === undefined) problems.push(unknownKey(key, yaml.placeOf(keyNode)));
    else if (text !== undefined) {
      said.set(name, text);
      if (name === 'rule' && !ruleNames.includes(text)) {
        problems.push(unknownRule(text, yaml.placeOf(value ?? keyNode)));
      }
    } else if (!isNothing(value)) problems.push(invalid(`\`${key}\` is no text`, yaml.placeOf(keyNode)));
  }
  const missing = required.filter((key) => !said.has(key));
  if (missing.length > 0) {
    problems.push(
      problem({
        rule: 'waiver-incomplete',
        message: `This waiver has no ${missing.join(', no ')}.`,
        advice: example,
        place,
      }),
    );
  }
  const expires = said.get('expires');
  if (expires !== undefined && !isDay(expires)) {
    problems.push(invalid(`\`expires\` is "${expires}", which is no day`, place));
  }
  if (problems.length > before) return undefined;
  const { rule, coordinate, reason, owner, subgraph } = Object.fromEntries(said);
  // All of them are there: `missing` is empty.
  const whole = { rule, coordinate, reason, owner, expires } as Omit<Waiver, 'place' | 'subgraph'>;
  return { ...whole, ...(subgraph === undefined ? {} : { subgraph }), place };
}

function isSame(a: Waiver, b: Waiver): boolean {
  return a.rule === b.rule && a.coordinate === b.coordinate && a.subgraph === b.subgraph;
}

/** A day of the calendar, `2027-01-31`. */
function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const time = Date.parse(`${text}T00:00:00Z`);
  // Some months are shorter: the parser rolls over or refuses.
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

function unknownKey(key: string, place: Place): Finding {
  const nearest = nearestName(key, known);
  return invalid(
    `\`${key}\` is not known${nearest === undefined ? '' : `; did you mean \`${nearest}\`?`}`,
    place,
  );
}

function unknownRule(rule: string, place: Place): Finding {
  const nearest = nearestName(rule, ruleNames);
  return invalid(`"${rule}" is no rule${nearest === undefined ? '' : `; did you mean ${nearest}?`}`, place);
}

function invalid(message: string, place: Place | undefined): Finding {
  const sentence = message.endsWith('?') ? message : `${message}.`;
  return problem({ rule: 'waiver-invalid', message: sentence, advice: example, place });
}
