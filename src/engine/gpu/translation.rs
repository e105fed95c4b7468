//! Tests that every variant of every kernel can be translated for every backend, by the translator
//! and with the options of wgpu (`load_shader` and `compile_stage` of wgpu-hal).
//!
//! Where the environment variable `W2V_GPU_TRANSLATIONS` names a folder, the translations are
//! written there. `tests/backends.sh` has them compiled and validated by other programs.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::{ResourceBinding, ShaderStage};

use super::bindings::Access;
use super::variants::{Variant, variants};

const ENTRY_POINT: &str = "main";

/// Takes translations, and writes each once.
struct Translations {
    folder: Option<PathBuf>,
    seen: HashSet<Vec<u8>>,
}

impl Translations {
    fn new() -> Self {
        let folder = std::env::var_os("W2V_GPU_TRANSLATIONS").map(PathBuf::from);
        let seen = HashSet::new();
        Self { folder, seen }
    }

    /// Takes a translation; `ending` says for what it is.
    fn add(&mut self, variant: &Variant, ending: &str, text: Vec<u8>) {
        if self.seen.contains(&text) {
            return;
        }
        if let Some(folder) = &self.folder {
            let kernel = variant.stage.kernel.name.replace(' ', "-");
            let name = format!("{kernel}-{:04}.{ending}", self.seen.len());
            fs::write(folder.join(name), &text).unwrap();
        }
        self.seen.insert(text);
    }
}

/// The bindings of a variant in order.
fn bindings(variant: &Variant) -> impl Iterator<Item = (ResourceBinding, Access)> {
    let accesses = variant.stage.kernel.accesses(variant.layout.shards.count);
    (0..).zip(accesses).map(|(binding, access)| {
        let place = ResourceBinding { group: 0, binding };
        (place, access)
    })
}

/// Indices are held within their bounds where a layout checks.
fn policies(checks: bool) -> BoundsCheckPolicies {
    let policy = if checks {
        BoundsCheckPolicy::Restrict
    } else {
        BoundsCheckPolicy::Unchecked
    };
    BoundsCheckPolicies {
        index: policy,
        buffer: policy,
        image_load: policy,
        binding_array: BoundsCheckPolicy::Unchecked,
    }
}

/// SPIR-V of the oldest version that has what the variant needs, and of the newest, for Vulkan.
#[test]
fn every_variant_becomes_spir_v() {
    use naga::back::spv::{self, BindingInfo, Capability, WriterFlags};
    let mut translations = Translations::new();
    for variant in variants() {
        let (module, info) = variant.module();
        let subgroups = variant.layout.subgroups;
        let mut capabilities = vec![Capability::Shader, Capability::Matrix];
        let oldest = if subgroups {
            capabilities.push(Capability::GroupNonUniform);
            capabilities.push(Capability::GroupNonUniformArithmetic);
            capabilities.push(Capability::GroupNonUniformBallot);
            ((1, 3), "vulkan1.1")
        } else {
            ((1, 0), "vulkan1.0")
        };
        let to_binding_info = |(place, _): (ResourceBinding, _)| {
            let info = BindingInfo {
                descriptor_set: place.group,
                binding: place.binding,
                binding_array_size: None,
            };
            (place, info)
        };
        let checks = variant.layout.checks;
        for (lang_version, environment) in [oldest, ((1, 6), "vulkan1.3")] {
            let options = spv::Options {
                lang_version,
                flags: WriterFlags::LABEL_VARYINGS | WriterFlags::FORCE_POINT_SIZE,
                capabilities: Some(capabilities.iter().copied().collect()),
                bounds_check_policies: policies(checks),
                zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
                force_loop_bounding: checks,
                emit_int_div_checks: checks,
                binding_map: bindings(&variant).map(to_binding_info).collect(),
                ..spv::Options::default()
            };
            let pipeline = spv::PipelineOptions {
                shader_stage: ShaderStage::Compute,
                entry_point: ENTRY_POINT.to_owned(),
            };
            let words = spv::write_vec(&module, &info, &options, Some(&pipeline))
                .unwrap_or_else(|e| panic!("{}: {e}", variant.stage.kernel.name));
            let ending = format!("{environment}.spv");
            translations.add(&variant, &ending, bytemuck::cast_slice(&words).to_vec());
        }
    }
}

/// HLSL of the first shader model that DXC compiles.
#[test]
fn every_variant_becomes_hlsl() {
    use naga::back::hlsl::{self, BindTarget, ShaderModel};
    let mut translations = Translations::new();
    for variant in variants() {
        let (module, info) = variant.module();
        let checks = variant.layout.checks;
        let (mut read, mut written) = (0, 0);
        let to_target = |(place, access): (ResourceBinding, Access)| {
            let next = if access == Access::Read {
                &mut read
            } else {
                &mut written
            };
            let target = BindTarget {
                register: *next,
                ..BindTarget::default()
            };
            *next += 1;
            (place, target)
        };
        let binding_map: hlsl::BindingMap = bindings(&variant).map(to_target).collect();
        let options = hlsl::Options {
            shader_model: ShaderModel::V6_0,
            binding_map,
            special_constants_binding: Some(BindTarget::default()),
            fake_missing_bindings: false,
            zero_initialize_workgroup_memory: false,
            restrict_indexing: checks,
            force_loop_bounding: checks,
            ..hlsl::Options::default()
        };
        let pipeline = hlsl::PipelineOptions {
            entry_point: Some((ShaderStage::Compute, ENTRY_POINT.to_owned())),
        };
        let mut text = String::new();
        let reflection = hlsl::Writer::new(&mut text, &options, &pipeline)
            .write(&module, &info, None)
            .unwrap_or_else(|e| panic!("{}: {e}", variant.stage.kernel.name));
        let [Ok(name)] = &reflection.entry_point_names[..] else {
            panic!("{:?}", reflection.entry_point_names);
        };
        assert_eq!(name, ENTRY_POINT);
        translations.add(&variant, "hlsl", text.into_bytes());
    }
}

/// MSL of the oldest version that has what the variant needs, and of the newest. Buffers, and the
/// list of their sizes behind them, have Metal's 31 places.
#[test]
fn every_variant_becomes_msl() {
    use naga::back::msl::{self, BindTarget, EntryPointResourceMap, EntryPointResources};
    let mut translations = Translations::new();
    for variant in variants() {
        let (module, info) = variant.module();
        let checks = variant.layout.checks;
        let to_target = |(place, access): (ResourceBinding, Access)| {
            let target = BindTarget {
                buffer: Some(place.binding as u8),
                mutable: access == Access::ReadWrite,
                ..BindTarget::default()
            };
            (place, target)
        };
        let resources: msl::BindingMap = bindings(&variant).map(to_target).collect();
        let sizes = resources.len() as u8;
        assert!(sizes < 31, "{}", variant.stage.kernel.name);
        let oldest = if variant.layout.subgroups {
            (3, 0)
        } else {
            (2, 0)
        };
        for lang_version in [oldest, (4, 0)] {
            let own = EntryPointResources {
                resources: resources.clone(),
                sizes_buffer: Some(sizes),
                ..EntryPointResources::default()
            };
            let options = msl::Options {
                lang_version,
                per_entry_point_map: EntryPointResourceMap::from([(ENTRY_POINT.to_owned(), own)]),
                fake_missing_bindings: false,
                spirv_cross_compatibility: false,
                bounds_check_policies: policies(checks),
                zero_initialize_workgroup_memory: false,
                force_loop_bounding: checks,
                emit_int_div_checks: checks,
                ..msl::Options::default()
            };
            let pipeline = msl::PipelineOptions {
                entry_point: Some((ShaderStage::Compute, ENTRY_POINT.to_owned())),
                ..msl::PipelineOptions::default()
            };
            let (text, reflection) = msl::write_string(&module, &info, &options, &pipeline)
                .unwrap_or_else(|e| panic!("{}: {e}", variant.stage.kernel.name));
            assert!(reflection.entry_point_names[0].is_ok());
            translations.add(&variant, "metal", text.into_bytes());
        }
    }
}
