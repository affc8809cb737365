# RFC 5280 lint of certificates with pkilint: rfc5280_lint.py FILE... (DER)
# Prints `file: severity code` for every finding of at least NOTICE, and at the end how many it read.
import pathlib
import sys

from pkilint import loader
from pkilint.pkix import certificate, extension, name

validator = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(
        name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
    ),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)

for path in sys.argv[1:]:
    octets = pathlib.Path(path).read_bytes()
    document = loader.load_certificate(octets, path)
    for result in validator.validate(document.root):
        for described in result.finding_descriptions:
            finding = described.finding
            if finding.severity.name not in ("DEBUG", "INFO"):
                print(f"{path}: {finding.severity.name} {finding.code} {described.message or ''}")
print(f"{len(sys.argv) - 1} linted")
