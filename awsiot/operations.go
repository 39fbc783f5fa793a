package awsiot

import "github.com/muster-iot/muster/awsiot/wire"

//go:generate go run ../internal/compatdoc -out ../docs/compatibility.md -paho ../conformance/paho/results.md -readme ../README.md

// table lists what a Server with these options serves, one row for each operation.
// The compatibility table is generated from the rows, without options.
func table(o Options) []operation {
	in := account{o.Account}
	var (
		jobs       = jobOperations{in, o.Jobs, o.Documents}
		executions = executionOperations{in, o.Jobs}
		templates  = templateOperations{in, o.Jobs, o.Documents}

		packages = packageOperations{in, o.Catalog}

		things = thingOperations{in, o.Registry}
		types  = typeOperations{in, o.Registry}
		groups = groupOperations{in, o.Registry}
		index  = indexOperations{in, o.Registry}
		tags   = tagOperations{o.Tags}

		certificates  = certificateOperations{in, o.Rights, o.Issuer, o.Now, make(chan struct{}, keysAtOnce())}
		cas           = caOperations{in, o.Rights}
		policies      = policyOperations{in, o.Rights}
		attachments   = attachmentOperations{in, o.Rights}
		authorization = authorizationOperations{in, o.Rights}
		principals    = principalOperations{in, o.Rights}

		events = eventOperations{o.Events}
	)
	return []operation{
		// Jobs (jobs-control-plane.md section 2).
		answer(wire.AssociateTargetsWithJob, jobs.associateTargetsWithJob, jobs.associateTargetsWithJobNeeds),
		answer(wire.CancelJob, jobs.cancelJob),
		answer(wire.CreateJob, jobs.createJob, jobs.createJobNeeds),
		perform(wire.DeleteJob, jobs.deleteJob),
		answer(wire.DescribeJob, jobs.describeJob),
		answer(wire.GetJobDocument, jobs.getJobDocument),
		answer(wire.ListJobs, jobs.listJobs, jobs.listJobsNeeds),
		perform(wire.UpdateJob, jobs.updateJob),

		// Executions of jobs.
		perform(wire.CancelJobExecution, executions.cancelJobExecution),
		perform(wire.DeleteJobExecution, executions.deleteJobExecution),
		answer(wire.DescribeJobExecution, executions.describeJobExecution),
		answer(wire.ListJobExecutionsForJob, executions.listJobExecutionsForJob),
		answer(wire.ListJobExecutionsForThing, executions.listJobExecutionsForThing, executions.listJobExecutionsForThingNeeds),

		// Job templates (jobs-control-plane.md sections 3.2, 3.3 and 3.13).
		answer(wire.CreateJobTemplate, templates.createJobTemplate, templates.createJobTemplateNeeds),
		perform(wire.DeleteJobTemplate, templates.deleteJobTemplate),
		answer(wire.DescribeJobTemplate, templates.describeJobTemplate),
		answer(wire.ListJobTemplates, templates.listJobTemplates),
		answer(wire.DescribeManagedJobTemplate, templates.describeManagedJobTemplate, templates.describeManagedJobTemplateNeeds),
		answer(wire.ListManagedJobTemplates, templates.listManagedJobTemplates),

		// Software packages (jobs-control-plane.md section 6.2, jobs-lifecycle.md section 13).
		answer(wire.CreatePackage, packages.createPackage, packages.createPackageNeeds),
		confirm(wire.DeletePackage, packages.deletePackage),
		answer(wire.GetPackage, packages.getPackage),
		answer(wire.ListPackages, packages.listPackages),
		confirm(wire.UpdatePackage, packages.updatePackage, packages.updatePackageNeeds),
		answer(wire.CreatePackageVersion, packages.createPackageVersion, packages.createPackageVersionNeeds),
		confirm(wire.DeletePackageVersion, packages.deletePackageVersion, packages.deletePackageVersionNeeds),
		answer(wire.GetPackageVersion, packages.getPackageVersion, packages.getPackageVersionNeeds),
		answer(wire.ListPackageVersions, packages.listPackageVersions),
		confirm(wire.UpdatePackageVersion, packages.updatePackageVersion, packages.updatePackageVersionNeeds),
		answer(wire.GetPackageConfiguration, packages.getPackageConfiguration),
		confirm(wire.UpdatePackageConfiguration, packages.updatePackageConfiguration),

		// Things and their types (registry.md sections 2 and 3).
		answer(wire.CreateThing, things.createThing, things.createThingNeeds),
		confirm(wire.DeleteThing, things.deleteThing),
		answer(wire.DescribeThing, things.describeThing),
		answer(wire.ListThings, things.listThings, things.listThingsNeeds),
		confirm(wire.UpdateThing, things.updateThing, things.updateThingNeeds),
		answer(wire.CreateThingType, types.createThingType, types.createThingTypeNeeds),
		confirm(wire.DeleteThingType, types.deleteThingType),
		confirm(wire.DeprecateThingType, types.deprecateThingType),
		answer(wire.DescribeThingType, types.describeThingType),
		answer(wire.ListThingTypes, types.listThingTypes, types.listThingTypesNeeds),
		confirm(wire.UpdateThingType, types.updateThingType),

		// Static thing groups and their members (registry.md section 4).
		answer(wire.CreateThingGroup, groups.createThingGroup, groups.createThingGroupNeeds),
		confirm(wire.DeleteThingGroup, groups.deleteThingGroup),
		answer(wire.DescribeThingGroup, groups.describeThingGroup),
		answer(wire.ListThingGroups, groups.listThingGroups, groups.listThingGroupsNeeds),
		answer(wire.UpdateThingGroup, groups.updateThingGroup),
		confirm(wire.AddThingToThingGroup, groups.addThingToThingGroup, groups.addThingToThingGroupNeeds),
		answer(wire.ListThingGroupsForThing, groups.listThingGroupsForThing),
		answer(wire.ListThingsInThingGroup, groups.listThingsInThingGroup),
		confirm(wire.RemoveThingFromThingGroup, groups.removeThingFromThingGroup, groups.removeThingFromThingGroupNeeds),
		confirm(wire.UpdateThingGroupsForThing, groups.updateThingGroupsForThing, groups.updateThingGroupsForThingNeeds),

		// Dynamic thing groups and the fleet index (registry.md section 5).
		answer(wire.CreateDynamicThingGroup, groups.createDynamicThingGroup, groups.createDynamicThingGroupNeeds),
		confirm(wire.DeleteDynamicThingGroup, groups.deleteDynamicThingGroup),
		answer(wire.UpdateDynamicThingGroup, groups.updateDynamicThingGroup, groups.updateDynamicThingGroupNeeds),
		answer(wire.DescribeIndex, index.describeIndex),
		answer(wire.GetBucketsAggregation, index.getBucketsAggregation, index.getBucketsAggregationNeeds),
		answer(wire.GetCardinality, index.getCardinality, index.getCardinalityNeeds),
		answer(wire.GetIndexingConfiguration, index.getIndexingConfiguration),
		answer(wire.GetPercentiles, index.getPercentiles, index.getPercentilesNeeds),
		answer(wire.GetStatistics, index.getStatistics, index.getStatisticsNeeds),
		answer(wire.GetThingConnectivityData, index.getThingConnectivityData),
		answer(wire.ListIndices, index.listIndices),
		answer(wire.SearchIndex, index.searchIndex, index.searchIndexNeeds),
		confirm(wire.UpdateIndexingConfiguration, index.updateIndexingConfiguration),

		// Tags of all kinds of resources (registry.md section 6.4).
		answer(wire.ListTagsForResource, tags.listTagsForResource, tags.listTagsForResourceNeeds),
		confirm(wire.TagResource, tags.tagResource, tags.tagResourceNeeds),
		confirm(wire.UntagResource, tags.untagResource, tags.untagResourceNeeds),

		// Certificates (identity-and-auth.md section A.3).
		answer(wire.CreateCertificateFromCsr, certificates.createCertificateFromCSR),
		answer(wire.CreateKeysAndCertificate, certificates.createKeysAndCertificate),
		perform(wire.DeleteCertificate, certificates.deleteCertificate),
		answer(wire.DescribeCertificate, certificates.describeCertificate),
		answer(wire.ListCertificates, certificates.listCertificates),
		answer(wire.ListCertificatesByCA, certificates.listCertificatesByCA),
		answer(wire.RegisterCertificate, certificates.registerCertificate, certificates.registerCertificateNeeds),
		answer(wire.RegisterCertificateWithoutCA, certificates.registerCertificateWithoutCA, certificates.registerCertificateWithoutCANeeds),
		perform(wire.UpdateCertificate, certificates.updateCertificate),

		// Certificate authorities.
		confirm(wire.DeleteCACertificate, cas.deleteCACertificate),
		confirm(wire.DeleteRegistrationCode, cas.deleteRegistrationCode),
		answer(wire.DescribeCACertificate, cas.describeCACertificate),
		answer(wire.GetRegistrationCode, cas.getRegistrationCode),
		answer(wire.ListCACertificates, cas.listCACertificates, cas.listCACertificatesNeeds),
		answer(wire.RegisterCACertificate, cas.registerCACertificate, cas.registerCACertificateNeeds),
		perform(wire.UpdateCACertificate, cas.updateCACertificate, cas.updateCACertificateNeeds),

		// Policies and what they are attached to (identity-and-auth.md section B.1).
		answer(wire.CreatePolicy, policies.createPolicy, policies.createPolicyNeeds),
		answer(wire.CreatePolicyVersion, policies.createPolicyVersion),
		perform(wire.DeletePolicy, policies.deletePolicy),
		perform(wire.DeletePolicyVersion, policies.deletePolicyVersion),
		answer(wire.GetPolicy, policies.getPolicy),
		answer(wire.GetPolicyVersion, policies.getPolicyVersion),
		answer(wire.ListPolicies, policies.listPolicies),
		answer(wire.ListPolicyVersions, policies.listPolicyVersions),
		perform(wire.SetDefaultPolicyVersion, policies.setDefaultPolicyVersion),
		perform(wire.AttachPolicy, attachments.attachPolicy, attachments.attachPolicyNeeds),
		perform(wire.AttachPrincipalPolicy, attachments.attachPrincipalPolicy, attachments.attachPrincipalPolicyNeeds),
		perform(wire.DetachPolicy, attachments.detachPolicy, attachments.detachPolicyNeeds),
		perform(wire.DetachPrincipalPolicy, attachments.detachPrincipalPolicy, attachments.detachPrincipalPolicyNeeds),
		answer(wire.GetEffectivePolicies, authorization.getEffectivePolicies, authorization.getEffectivePoliciesNeeds),
		answer(wire.ListAttachedPolicies, attachments.listAttachedPolicies, attachments.listAttachedPoliciesNeeds),
		answer(wire.ListPolicyPrincipals, attachments.listPolicyPrincipals, attachments.listPolicyPrincipalsNeeds),
		answer(wire.ListPrincipalPolicies, attachments.listPrincipalPolicies, attachments.listPrincipalPoliciesNeeds),
		answer(wire.ListTargetsForPolicy, attachments.listTargetsForPolicy),
		answer(wire.TestAuthorization, authorization.testAuthorization, authorization.testAuthorizationNeeds),

		// The certificates of things (registry.md section 6.3).
		confirm(wire.AttachThingPrincipal, principals.attachThingPrincipal, principals.attachThingPrincipalNeeds),
		confirm(wire.DetachThingPrincipal, principals.detachThingPrincipal, principals.detachThingPrincipalNeeds),
		answer(wire.ListPrincipalThings, principals.listPrincipalThings, principals.listPrincipalThingsNeeds),
		answer(wire.ListPrincipalThingsV2, principals.listPrincipalThingsV2, principals.listPrincipalThingsV2Needs),
		answer(wire.ListThingPrincipals, principals.listThingPrincipals),
		answer(wire.ListThingPrincipalsV2, principals.listThingPrincipalsV2),

		// The deployment itself.
		answer(wire.DescribeEndpoint, o.Endpoints.describeEndpoint),
		answer(wire.DescribeEventConfigurations, events.describeEventConfigurations),
		confirm(wire.UpdateEventConfigurations, events.updateEventConfigurations),

		// The jobs data plane, for devices (jobs-data-plane.md section 7).
		handOver(wire.DataDescribeJobExecution),
		handOver(wire.GetPendingJobExecutions),
		handOver(wire.StartNextPendingJobExecution),
		handOver(wire.UpdateJobExecution),

		// Messages, connections and shadows.
		handOver(wire.DeleteConnection),
		handOver(wire.GetRetainedMessage),
		handOver(wire.GetThingShadow),
		handOver(wire.ListRetainedMessages),
		handOver(wire.Publish),
	}
}
