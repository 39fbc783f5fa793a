package awsiot

import "github.com/muster-iot/muster/awsiot/wire"

//go:generate go run ../internal/compatdoc -out ../docs/compatibility.md -paho ../conformance/paho/results.md -readme ../README.md

// table lists what this package serves, one row for each operation. The
// compatibility table is generated from it.
func (s *Server) table() []operation {
	return []operation{
		// Jobs (jobs-control-plane.md section 2).
		answer(wire.AssociateTargetsWithJob, s.associateTargetsWithJob, (*needs).associateTargets),
		answer(wire.CancelJob, s.cancelJob),
		answer(wire.CreateJob, s.createJob, (*needs).createJob),
		perform(wire.DeleteJob, s.deleteJob),
		answer(wire.DescribeJob, s.describeJob),
		answer(wire.GetJobDocument, s.getJobDocument),
		answer(wire.ListJobs, s.listJobs, (*needs).listJobs),
		perform(wire.UpdateJob, s.updateJob),

		// Their executions.
		perform(wire.CancelJobExecution, s.cancelJobExecution),
		perform(wire.DeleteJobExecution, s.deleteJobExecution),
		answer(wire.DescribeJobExecution, s.describeJobExecution),
		answer(wire.ListJobExecutionsForJob, s.listJobExecutionsForJob),
		answer(wire.ListJobExecutionsForThing, s.listJobExecutionsForThing, (*needs).listJobExecutionsForThing),

		// Job templates (jobs-control-plane.md sections 3.2, 3.3 and 3.13).
		answer(wire.CreateJobTemplate, s.createJobTemplate, (*needs).createJobTemplate),
		perform(wire.DeleteJobTemplate, s.deleteJobTemplate),
		answer(wire.DescribeJobTemplate, s.describeJobTemplate),
		answer(wire.ListJobTemplates, s.listJobTemplates),
		answer(wire.DescribeManagedJobTemplate, s.describeManagedJobTemplate, (*needs).describeManagedJobTemplate),
		answer(wire.ListManagedJobTemplates, s.listManagedJobTemplates),

		// Software packages (jobs-control-plane.md section 6.2, jobs-lifecycle.md section 13).
		answer(wire.CreatePackage, s.createPackage, (*needs).createPackage),
		confirm(wire.DeletePackage, s.deletePackage),
		answer(wire.GetPackage, s.getPackage),
		answer(wire.ListPackages, s.listPackages),
		confirm(wire.UpdatePackage, s.updatePackage, (*needs).updatePackage),
		answer(wire.CreatePackageVersion, s.createPackageVersion, (*needs).createPackageVersion),
		confirm(wire.DeletePackageVersion, s.deletePackageVersion, (*needs).deletePackageVersion),
		answer(wire.GetPackageVersion, s.getPackageVersion, (*needs).getPackageVersion),
		answer(wire.ListPackageVersions, s.listPackageVersions),
		confirm(wire.UpdatePackageVersion, s.updatePackageVersion, (*needs).updatePackageVersion),
		answer(wire.GetPackageConfiguration, s.getPackageConfiguration),
		confirm(wire.UpdatePackageConfiguration, s.updatePackageConfiguration),

		// Things and their types (registry.md sections 2 and 3).
		answer(wire.CreateThing, s.createThing, (*needs).createThing),
		confirm(wire.DeleteThing, s.deleteThing),
		answer(wire.DescribeThing, s.describeThing),
		answer(wire.ListThings, s.listThings, (*needs).listThings),
		confirm(wire.UpdateThing, s.updateThing, (*needs).updateThing),
		answer(wire.CreateThingType, s.createThingType, (*needs).createThingType),
		confirm(wire.DeleteThingType, s.deleteThingType),
		confirm(wire.DeprecateThingType, s.deprecateThingType),
		answer(wire.DescribeThingType, s.describeThingType),
		answer(wire.ListThingTypes, s.listThingTypes, (*needs).listThingTypes),
		confirm(wire.UpdateThingType, s.updateThingType),

		// Static thing groups and who is in them (registry.md section 4).
		answer(wire.CreateThingGroup, s.createThingGroup, (*needs).createThingGroup),
		confirm(wire.DeleteThingGroup, s.deleteThingGroup),
		answer(wire.DescribeThingGroup, s.describeThingGroup),
		answer(wire.ListThingGroups, s.listThingGroups, (*needs).listThingGroups),
		answer(wire.UpdateThingGroup, s.updateThingGroup),
		confirm(wire.AddThingToThingGroup, s.addThingToThingGroup, (*needs).addThingToThingGroup),
		answer(wire.ListThingGroupsForThing, s.listThingGroupsForThing),
		answer(wire.ListThingsInThingGroup, s.listThingsInThingGroup),
		confirm(wire.RemoveThingFromThingGroup, s.removeThingFromThingGroup, (*needs).removeThingFromThingGroup),
		confirm(wire.UpdateThingGroupsForThing, s.updateThingGroupsForThing, (*needs).updateThingGroupsForThing),

		// Dynamic thing groups and the fleet index (registry.md section 5).
		answer(wire.CreateDynamicThingGroup, s.createDynamicThingGroup, (*needs).createDynamicThingGroup),
		confirm(wire.DeleteDynamicThingGroup, s.deleteDynamicThingGroup),
		answer(wire.UpdateDynamicThingGroup, s.updateDynamicThingGroup, (*needs).updateDynamicThingGroup),
		answer(wire.DescribeIndex, s.describeIndex),
		answer(wire.GetBucketsAggregation, s.getBucketsAggregation, (*needs).getBuckets),
		answer(wire.GetCardinality, s.getCardinality, (*needs).getCardinality),
		answer(wire.GetIndexingConfiguration, s.getIndexingConfiguration),
		answer(wire.GetPercentiles, s.getPercentiles, (*needs).getPercentiles),
		answer(wire.GetStatistics, s.getStatistics, (*needs).getStatistics),
		answer(wire.GetThingConnectivityData, s.getThingConnectivityData),
		answer(wire.ListIndices, s.listIndices),
		answer(wire.SearchIndex, s.searchIndex, (*needs).searchIndex),
		confirm(wire.UpdateIndexingConfiguration, s.updateIndexingConfiguration),

		// Tags of whatever can have some (registry.md section 6.4).
		answer(wire.ListTagsForResource, s.listTagsForResource, (*needs).listTagsForResource),
		confirm(wire.TagResource, s.tagResource, (*needs).tagResource),
		confirm(wire.UntagResource, s.untagResource, (*needs).untagResource),

		// Certificates (identity-and-auth.md section A.3).
		answer(wire.CreateCertificateFromCsr, s.createCertificateFromCSR),
		answer(wire.CreateKeysAndCertificate, s.createKeysAndCertificate),
		perform(wire.DeleteCertificate, s.deleteCertificate),
		answer(wire.DescribeCertificate, s.describeCertificate),
		answer(wire.ListCertificates, s.listCertificates),
		answer(wire.ListCertificatesByCA, s.listCertificatesByCA),
		answer(wire.RegisterCertificate, s.registerCertificate, (*needs).registerCertificate),
		answer(wire.RegisterCertificateWithoutCA, s.registerCertificateWithoutCA, (*needs).registerCertificateWithoutCA),
		perform(wire.UpdateCertificate, s.updateCertificate),

		// Certificate authorities.
		confirm(wire.DeleteCACertificate, s.deleteCACertificate),
		confirm(wire.DeleteRegistrationCode, s.deleteRegistrationCode),
		answer(wire.DescribeCACertificate, s.describeCACertificate),
		answer(wire.GetRegistrationCode, s.getRegistrationCode),
		answer(wire.ListCACertificates, s.listCACertificates, (*needs).listCAs),
		answer(wire.RegisterCACertificate, s.registerCACertificate, (*needs).registerCA),
		perform(wire.UpdateCACertificate, s.updateCACertificate, (*needs).updateCA),

		// Policies and what they are attached to (identity-and-auth.md section B.1).
		answer(wire.CreatePolicy, s.createPolicy, (*needs).createPolicy),
		answer(wire.CreatePolicyVersion, s.createPolicyVersion),
		perform(wire.DeletePolicy, s.deletePolicy),
		perform(wire.DeletePolicyVersion, s.deletePolicyVersion),
		answer(wire.GetPolicy, s.getPolicy),
		answer(wire.GetPolicyVersion, s.getPolicyVersion),
		answer(wire.ListPolicies, s.listPolicies),
		answer(wire.ListPolicyVersions, s.listPolicyVersions),
		perform(wire.SetDefaultPolicyVersion, s.setDefaultPolicyVersion),
		perform(wire.AttachPolicy, s.attachPolicy, (*needs).attachPolicy),
		perform(wire.AttachPrincipalPolicy, s.attachPrincipalPolicy, (*needs).attachPrincipalPolicy),
		perform(wire.DetachPolicy, s.detachPolicy, (*needs).detachPolicy),
		perform(wire.DetachPrincipalPolicy, s.detachPrincipalPolicy, (*needs).detachPrincipalPolicy),
		answer(wire.GetEffectivePolicies, s.getEffectivePolicies, (*needs).getEffectivePolicies),
		answer(wire.ListAttachedPolicies, s.listAttachedPolicies, (*needs).listAttachedPolicies),
		answer(wire.ListPolicyPrincipals, s.listPolicyPrincipals, (*needs).listPolicyPrincipals),
		answer(wire.ListPrincipalPolicies, s.listPrincipalPolicies, (*needs).listPrincipalPolicies),
		answer(wire.ListTargetsForPolicy, s.listTargetsForPolicy),
		answer(wire.TestAuthorization, s.testAuthorization, (*needs).testAuthorization),

		// The certificates of things (registry.md section 6.3).
		confirm(wire.AttachThingPrincipal, s.attachThingPrincipal, (*needs).attachThingPrincipal),
		confirm(wire.DetachThingPrincipal, s.detachThingPrincipal, (*needs).detachThingPrincipal),
		answer(wire.ListPrincipalThings, s.listPrincipalThings, (*needs).listPrincipalThings),
		answer(wire.ListPrincipalThingsV2, s.listPrincipalThingsV2, (*needs).listPrincipalThingsV2),
		answer(wire.ListThingPrincipals, s.listThingPrincipals),
		answer(wire.ListThingPrincipalsV2, s.listThingPrincipalsV2),

		// The deployment itself.
		answer(wire.DescribeEndpoint, s.describeEndpoint),
		answer(wire.DescribeEventConfigurations, s.describeEventConfigurations),
		confirm(wire.UpdateEventConfigurations, s.updateEventConfigurations),

		// What devices ask (jobs-data-plane.md section 7).
		handOver(wire.DataDescribeJobExecution),
		handOver(wire.GetPendingJobExecutions),
		handOver(wire.StartNextPendingJobExecution),
		handOver(wire.UpdateJobExecution),

		handOver(wire.DeleteConnection),
		handOver(wire.GetRetainedMessage),
		handOver(wire.GetThingShadow),
		handOver(wire.ListRetainedMessages),
		handOver(wire.Publish),
	}
}
