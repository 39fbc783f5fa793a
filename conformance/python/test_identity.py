"""Certificates, CAs, policies and what they are attached to, as boto3 asks (identity-and-auth.md A.3 and B.1)."""

import datetime
import json
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conftest import eventually, refused

ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})


class Signer:
    """A certificate with its key: of a CA that somebody else runs, or of a device."""

    def __init__(self, name, by=None, ca=False):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name((by or self).name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
        )
        if ca:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = builder.sign((by or self).key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.id = self.certificate.fingerprint(hashes.SHA256()).hex()

    def write(self, folder):
        """Returns the files of the certificate and its key."""
        certificate, key = folder / f"{self.id}.pem", folder / f"{self.id}.key"
        certificate.write_text(self.pem)
        key.write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate, key


@pytest.fixture
def registered_ca(iot):
    """Registers a new CA; its owner proves possession by the registration code."""
    def register(name, **options):
        ca = Signer(name, ca=True)
        proof = Signer(iot.get_registration_code()["registrationCode"], by=ca)
        made = iot.register_ca_certificate(caCertificate=ca.pem, verificationCertificate=proof.pem, **options)
        assert made["certificateId"] == ca.id
        return ca

    return register


def test_a_certificate_from_request_to_deletion(iot, arn, thing):
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pump-7")])).sign(key, hashes.SHA256())
    made = iot.create_certificate_from_csr(certificateSigningRequest=request.public_bytes(serialization.Encoding.PEM).decode(), setAsActive=True)
    certificate = x509.load_pem_x509_certificate(made["certificatePem"].encode())
    cert, cert_arn = made["certificateId"], made["certificateArn"]
    assert cert == certificate.fingerprint(hashes.SHA256()).hex() and cert_arn == arn("cert", cert)
    assert certificate.subject.rfc4514_string() == "CN=pump-7"
    described = iot.describe_certificate(certificateId=cert)["certificateDescription"]
    assert (described["status"], described["certificateMode"], described["customerVersion"]) == ("ACTIVE", "DEFAULT", 1)
    assert described["validity"]["notAfter"].year == 2049

    iot.attach_thing_principal(thingName=thing, principal=cert_arn)
    assert iot.list_thing_principals(thingName=thing)["principals"] == [cert_arn]
    assert iot.list_principal_things(principal=cert_arn)["things"] == [thing]
    assert iot.list_principal_things_v2(principal=cert_arn)["principalThingObjects"] == [
        {"thingName": thing, "thingPrincipalType": "NON_EXCLUSIVE_THING"}]
    refused("CertificateStateException", 406, iot.delete_certificate, certificateId=cert)
    iot.update_certificate(certificateId=cert, newStatus="INACTIVE")
    refused("DeleteConflictException", 409, iot.delete_certificate, certificateId=cert, forceDelete=True)
    iot.detach_thing_principal(thingName=thing, principal=cert_arn)
    iot.delete_certificate(certificateId=cert)
    refused("ResourceNotFoundException", 404, iot.describe_certificate, certificateId=cert)


def test_a_certificate_of_ones_own(iot):
    own = Signer("lamp")
    assert iot.register_certificate_without_ca(certificatePem=own.pem)["certificateId"] == own.id
    answer = refused("ResourceAlreadyExistsException", 409, iot.register_certificate_without_ca, certificatePem=own.pem)
    assert answer["resourceId"] == own.id
    refused("CertificateValidationException", 400, iot.register_certificate_without_ca, certificatePem="hello")
    refused("InvalidRequestException", 400, iot.update_certificate, certificateId=own.id, newStatus="PENDING_TRANSFER")
    refused("InvalidRequestException", 400, iot.transfer_certificate, certificateId=own.id, targetAwsAccount="123456789012")


def test_a_certificate_of_a_registered_ca(iot, name, registered_ca):
    ca = registered_ca(name("Acme CA"))
    lamp = Signer("lamp", by=ca)
    refused("CertificateStateException", 406, iot.register_certificate, certificatePem=lamp.pem)
    iot.update_ca_certificate(certificateId=ca.id, newStatus="ACTIVE")
    iot.register_certificate(certificatePem=lamp.pem, caCertificatePem=ca.pem, status="ACTIVE")
    assert [c["certificateId"] for c in iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"]] == [lamp.id]
    assert iot.describe_certificate(certificateId=lamp.id)["certificateDescription"]["caCertificateId"] == ca.id
    refused("CertificateValidationException", 400, iot.register_certificate, certificatePem=Signer("pump").pem)
    refused("RegistrationCodeValidationException", 400, iot.register_ca_certificate,
            caCertificate=Signer("x", ca=True).pem, verificationCertificate=Signer("y").pem)
    refused("CertificateStateException", 406, iot.delete_ca_certificate, certificateId=ca.id)
    iot.update_ca_certificate(certificateId=ca.id, newStatus="INACTIVE")
    iot.delete_ca_certificate(certificateId=ca.id)


def test_a_device_registers_itself(server, iot, name, registered_ca, tmp_path):
    """Just-in-time registration: refused, but known from then on (AUTH-34)."""
    ca = registered_ca(name("Acme CA"), setAsActive=True, allowAutoRegistration=True)
    lamp = Signer("lamp", by=ca)
    tls = ssl.create_default_context(cafile=server["ca_file"])
    tls.load_cert_chain(*lamp.write(tmp_path))
    host, port = server["mqtts_addr"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as raw, tls.wrap_socket(raw, server_hostname=host) as connection:
        connection.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04lamp")
        assert connection.recv(4) == b"\x20\x02\x00\x05"  # not authorised
    eventually(lambda: iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"], "the certificate")
    assert iot.describe_certificate(certificateId=lamp.id)["certificateDescription"]["status"] == "PENDING_ACTIVATION"


def test_a_policy_and_its_versions(iot, name):
    policy = name("policy")
    assert iot.create_policy(policyName=policy, policyDocument=ALL)["policyVersionId"] == "1"
    refused("ResourceAlreadyExistsException", 409, iot.create_policy, policyName=policy, policyDocument=ALL)
    refused("MalformedPolicyException", 400, iot.create_policy, policyName=name("bad"), policyDocument="{}")
    for version in ("2", "3", "4", "5"):
        assert iot.create_policy_version(policyName=policy, policyDocument=ALL + " " * int(version), setAsDefault=version == "3")["policyVersionId"] == version
    refused("VersionsLimitExceededException", 409, iot.create_policy_version, policyName=policy, policyDocument=ALL)
    got = iot.get_policy(policyName=policy)
    assert (got["defaultVersionId"], got["policyDocument"]) == ("3", ALL + "   "), "the text is kept as it is"
    refused("InvalidRequestException", 400, iot.delete_policy_version, policyName=policy, policyVersionId="3")
    iot.set_default_policy_version(policyName=policy, policyVersionId="1")
    refused("DeleteConflictException", 409, iot.delete_policy, policyName=policy)
    for version in ("2", "3", "4", "5"):
        iot.delete_policy_version(policyName=policy, policyVersionId=version)
    assert [v["versionId"] for v in iot.list_policy_versions(policyName=policy)["policyVersions"]] == ["1"]
    iot.delete_policy(policyName=policy)
    refused("ResourceNotFoundException", 404, iot.get_policy, policyName=policy)


def test_policies_are_attached(iot, arn, name, thing):
    own, of_group, group = name("own"), name("of-group"), name("group")
    cert_arn = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.create_thing_group(thingGroupName=group)
    iot.add_thing_to_thing_group(thingName=thing, thingGroupName=group)
    iot.attach_thing_principal(thingName=thing, principal=cert_arn)
    connect = {"Effect": "Allow", "Action": "iot:Connect", "Resource": arn("client", "${iot:Connection.Thing.ThingName}")}
    secret = {"Effect": "Deny", "Action": "iot:Publish", "Resource": arn("topic", "secret")}
    for policy, statement, target in ((own, connect, cert_arn), (of_group, secret, arn("thinggroup", group))):
        iot.create_policy(policyName=policy, policyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        iot.attach_policy(policyName=policy, target=target)
        iot.attach_policy(policyName=policy, target=target)
        assert iot.list_targets_for_policy(policyName=policy)["targets"] == [target]
        assert [p["policyName"] for p in iot.list_attached_policies(target=target, recursive=True)["policies"]] == [policy]
        refused("DeleteConflictException", 409, iot.delete_policy, policyName=policy)
    effective = iot.get_effective_policies(principal=cert_arn, thingName=thing)["effectivePolicies"]
    assert {p["policyName"] for p in effective} == {own, of_group}

    def decisions(client_id):
        results = iot.test_authorization(principal=cert_arn, clientId=client_id, authInfos=[
            {"actionType": "CONNECT", "resources": [arn("client", client_id)]},
            {"actionType": "PUBLISH", "resources": [arn("topic", "secret")]},
        ])["authResults"]
        return [r["authDecision"] for r in results]

    assert decisions(thing) == ["ALLOWED", "EXPLICIT_DENY"]
    assert decisions("other") == ["IMPLICIT_DENY", "IMPLICIT_DENY"]

    iot.attach_principal_policy(policyName=of_group, principal=cert_arn)
    assert iot.list_policy_principals(policyName=of_group)["principals"] == [cert_arn]
    assert len(iot.list_principal_policies(principal=cert_arn)["policies"]) == 2
    iot.detach_principal_policy(policyName=of_group, principal=cert_arn)
    iot.detach_policy(policyName=own, target=cert_arn)
    iot.detach_policy(policyName=own, target=cert_arn)
    assert iot.list_attached_policies(target=cert_arn)["policies"] == []


def test_lists_come_in_pages(iot, name):
    made = [name(f"policy-{i}") for i in range(5)]
    for policy in made:
        iot.create_policy(policyName=policy, policyDocument=ALL)
        time.sleep(0.002)  # lists go by milliseconds
    for ascending, want in ((True, made), (False, made[::-1])):
        pages = iot.get_paginator("list_policies").paginate(ascendingOrder=ascending, PaginationConfig={"PageSize": 2})
        assert [p["policyName"] for page in pages for p in page["policies"] if p["policyName"] in made] == want


def test_endpoints(iot):
    hosts = {kind: iot.describe_endpoint(endpointType=kind)["endpointAddress"] for kind in ("iot:Data", "iot:Data-ATS", "iot:Jobs")}
    assert len(set(hosts.values())) == 1 and ":" not in hosts["iot:Data"]
    assert iot.describe_endpoint()["endpointAddress"] == hosts["iot:Data"]
    refused("InvalidRequestException", 400, iot.describe_endpoint, endpointType="iot:CredentialProvider")
