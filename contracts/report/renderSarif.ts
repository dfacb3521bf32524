import type { FileLocation, Finding } from '../finding.ts';
import type { CheckReport } from './checkReport.ts';
import { levelOf } from './findingLevel.ts';
import { fingerprintsOf } from './fingerprints.ts';
import { affectedPhrase, summaryPhrase, verdictSentence } from './reportPhrases.ts';
import { fileLocationOf, platformLines } from './repositoryLocation.ts';

/** SARIF 2.1.0 with one run. Waived findings are suppressed results. */
export function renderSarif({ findings, summary }: CheckReport): string {
  const rules = [...new Set(findings.map(({ rule }) => rule))];
  const fingerprints = fingerprintsOf(findings);
  const log = {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'tributary contracts', rules: rules.map(ruleDescriptor) } },
        invocations: [
          {
            // A check with findings executed successfully.
            executionSuccessful: summary.verdict === 'passed' || summary.verdict === 'failed',
            exitCode: summary.exitCode,
            exitCodeDescription: `${verdictSentence(summary)} ${summaryPhrase(summary)}.`,
          },
        ],
        // Our columns count UTF-16 code units.
        columnKind: 'utf16CodeUnits',
        results: findings.map((finding, index) => ({
          ruleId: finding.rule,
          ruleIndex: rules.indexOf(finding.rule),
          level: levelOf(finding, summary.strict),
          message: { text: platformLines(finding).join('\n') },
          locations: [locationOf(finding, summary.checked.directory)],
          ...relatedLocations(finding),
          partialFingerprints: { 'tributaryContracts/v1': fingerprints[index] },
          ...(finding.waivedBy === undefined
            ? {}
            : { suppressions: [{ kind: 'external', status: 'accepted', justification: finding.waivedBy }] }),
        })),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function ruleDescriptor(id: string): object {
  const text = id.replaceAll('-', ' ');
  return {
    id,
    shortDescription: { text },
    fullDescription: { text },
    help: {
      text: `docs/contracts.md of Tributary describes ${id} and what to do.`,
    },
  };
}

function locationOf(finding: Finding, directory: string): object {
  const { coordinate } = finding;
  const location = fileLocationOf(finding);
  const physicalLocation =
    location === undefined ? { artifactLocation: artifactLocation(directory) } : physicalLocationOf(location);
  return coordinate === undefined
    ? { physicalLocation }
    : { physicalLocation, logicalLocations: [{ fullyQualifiedName: coordinate }] };
}

/** GitHub's limit per result. The message lists all. */
const maxRelatedLocations = 100;

function relatedLocations({ affects = [] }: Finding): object {
  if (affects.length === 0) return {};
  return {
    relatedLocations: affects.slice(0, maxRelatedLocations).map((operation, id) => ({
      id,
      message: { text: affectedPhrase(operation) },
      physicalLocation: physicalLocationOf(operation.location),
    })),
  };
}

function physicalLocationOf({ file, line, column }: FileLocation): object {
  return {
    artifactLocation: artifactLocation(file),
    region: { startLine: line, startColumn: column },
  };
}

function artifactLocation(file: string): object {
  const path = file.replaceAll('\\', '/').replace(/^(\.\/)+/, '');
  const uri = path.split('/').map(encodeURIComponent).join('/');
  if (path.startsWith('/')) return { uri: `file://${uri}` };
  if (/^[A-Za-z]:\//.test(path)) return { uri: `file:///${uri.replace('%3A', ':')}` };
  return { uri, uriBaseId: '%SRCROOT%' };
}
