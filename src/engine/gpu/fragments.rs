//! Tests of single fragments of shaders, each run alone on an adapter.

use half::f16;
use wgpu::{
    BindGroupDescriptor, BindGroupEntry, ComputePipelineDescriptor, Features,
    PipelineCompilationOptions, ShaderModuleDescriptor, ShaderSource,
};

use super::adapter::{GpuAdapter, select};
use super::device::{Device, Needed};
use super::kernels::{REDUCE_SUBGROUP, REDUCE_WORKGROUP, WIDEN_HALF};

/// What the program around a fragment reads and writes.
const BUFFERS: &str = "
@group(0) @binding(0) var<storage, read> given: array<u32>;
@group(0) @binding(1) var<storage, read_write> made: array<u32>;
override LANES: u32 = 32u;
";

/// Sums and maxima over a workgroup, one after the other, as each lane sees them.
const REDUCTIONS: &str = "
@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, lane: Lane) {
    let at = group.x * LANES + lane.index;
    let value = f32(given[at]);
    let sum = reduce(vec4f(value, 2.0 * value, 1.0, 0.0), lane);
    let largest = reduce_max(value, lane);
    let again = reduce(vec4f(largest), lane);
    made[4u * at] = u32(sum.x);
    made[4u * at + 1u] = u32(sum.y + sum.z);
    made[4u * at + 2u] = u32(largest);
    made[4u * at + 3u] = u32(again.w);
}
";

/// Subgroups of any size, through the memory of the workgroup.
const EMULATED: &str = "
var<workgroup> emulated: array<vec4f, LANES>;

fn add_in_subgroup(value: vec4f, lane: Lane) -> vec4f {
    emulated[lane.index] = value;
    workgroupBarrier();
    let first = lane.index / SUBGROUP * SUBGROUP;
    var sum = vec4f(0.0);
    for (var i = first; i < min(first + SUBGROUP, LANES); i++) {
        sum += emulated[i];
    }
    workgroupBarrier();
    return sum;
}

fn max_in_subgroup(value: f32, lane: Lane) -> f32 {
    emulated[lane.index].x = value;
    workgroupBarrier();
    let first = lane.index / SUBGROUP * SUBGROUP;
    var largest = value;
    for (var i = first; i < min(first + SUBGROUP, LANES); i++) {
        largest = max(largest, emulated[i].x);
    }
    workgroupBarrier();
    return largest;
}
";

/// The best adapter. Without one the tests fail: what they hold would not be known.
fn adapter() -> GpuAdapter {
    select(None).unwrap_or_else(|error| panic!("tests/run.sh installs an adapter\n{error}"))
}

/// Runs a program in so many workgroups, and returns the `length` words that it made.
fn run(
    adapter: &GpuAdapter,
    text: &str,
    constants: &[(&str, f64)],
    given: &[u32],
    [length, groups]: [usize; 2],
) -> Vec<u32> {
    let mut features = Features::empty();
    features.set(Features::SUBGROUP, text.contains("subgroupAdd"));
    let needed = Needed {
        features,
        buffers: 2,
        largest: 1 << 20,
        workgroup_bytes: 16 << 10,
    };
    let mut device = Device::new(&adapter.adapter, needed).unwrap();
    let module = device.device.create_shader_module(ShaderModuleDescriptor {
        label: None,
        source: ShaderSource::Wgsl(text.into()),
    });
    let pipeline = device
        .device
        .create_compute_pipeline(&ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: PipelineCompilationOptions {
                constants,
                ..PipelineCompilationOptions::default()
            },
            cache: None,
        });
    let buffers =
        [given.len(), length].map(|words| device.storage("words", 4 * words as u64).unwrap());
    device
        .queue
        .write_buffer(&buffers[0], 0, bytemuck::cast_slice(given));
    let entry = |binding: usize| BindGroupEntry {
        binding: binding as u32,
        resource: buffers[binding].as_entire_binding(),
    };
    let bound = device.device.create_bind_group(&BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[entry(0), entry(1)],
    });
    let mut encoder = device.device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    pass.set_pipeline(&pipeline);
    pass.set_bind_group(0, &bound, &[]);
    pass.dispatch_workgroups(groups as u32, 1, 1);
    drop(pass);
    device.submit(encoder).unwrap();
    let mut made = Vec::new();
    let bytes = 4 * length as u64;
    device
        .read(&buffers[1], 0..bytes, 4, |words: &[u32]| {
            made.extend_from_slice(words)
        })
        .unwrap();
    made
}

/// `reduce_subgroup.wgsl` on subgroups of `size` lanes, whatever those of the adapter.
fn on_subgroups_of(size: u32) -> String {
    let text = REDUCE_SUBGROUP
        .lines()
        .filter(|line| !line.contains("@builtin(") || line.contains("local_invocation_index"))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("lane.in_subgroup", "(lane.index % SUBGROUP)")
        .replace("lane.subgroups", "max(1u, LANES / SUBGROUP)")
        .replace("lane.subgroup", "(lane.index / SUBGROUP)")
        .replace("subgroupAdd(value)", "add_in_subgroup(value, lane)")
        .replace("subgroupMax(value)", "max_in_subgroup(value, lane)");
    format!("const SUBGROUP = {size}u;\n{text}{EMULATED}")
}

/// Checks what every lane sees of the sums and maxima of three workgroups. The values are integers,
/// so that no order of additions matters.
fn check_reductions(adapter: &GpuAdapter, reduce: &str, lanes: u32, one_subgroup: Option<bool>) {
    const GROUPS: usize = 3;
    let mut constants = vec![("LANES", f64::from(lanes))];
    constants.extend(one_subgroup.map(|one| ("ONE_SUBGROUP", f64::from(u8::from(one)))));
    let lanes = lanes as usize;
    let given: Vec<u32> = (0..GROUPS * lanes).map(|i| (i * 37 % 101) as u32).collect();
    let text = [BUFFERS, reduce, REDUCTIONS].concat();
    let sizes = [4 * given.len(), GROUPS];
    let made = run(adapter, &text, &constants, &given, sizes);
    for (group, values) in given.chunks(lanes).enumerate() {
        let (sum, largest) = (values.iter().sum::<u32>(), *values.iter().max().unwrap());
        let lanes = lanes as u32;
        let expected = [sum, 2 * sum + lanes, largest, largest * lanes];
        let seen = &made[4 * group * values.len()..][..4 * values.len()];
        for (lane, seen) in seen.chunks(4).enumerate() {
            assert_eq!(seen, expected, "{lanes} lanes, lane {lane}: {reduce}");
        }
    }
}

/// Subgroups of 4 to 64 lanes, workgroups that are a subgroup, several, and less than one.
#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn subgroups_of_any_size_reduce() {
    let adapter = adapter();
    for size in [4, 8, 16, 32, 64] {
        let reduce = on_subgroups_of(size);
        for lanes in [4, 32, 64, 256] {
            check_reductions(&adapter, &reduce, lanes, Some(false));
        }
        check_reductions(&adapter, &reduce, size, Some(true));
    }
}

/// The adapter's own subgroups, and the memory of workgroups.
#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn workgroups_of_any_width_reduce() {
    let adapter = adapter();
    for lanes in [4, 8, 16, 32, 64, 128, 256] {
        check_reductions(&adapter, REDUCE_WORKGROUP, lanes, None);
        if let Some(own) = adapter.summary().subgroup {
            check_reductions(&adapter, REDUCE_SUBGROUP, lanes, Some(false));
            if own == (lanes, lanes) {
                check_reductions(&adapter, REDUCE_SUBGROUP, lanes, Some(true));
            }
        }
    }
}

/// Each 16-bit float, subnormal ones among them, is the same number in 32 bits.
#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn every_half_widens_exactly() {
    const HALVES: usize = 1 << 16;
    let given: Vec<u32> = (0..HALVES as u32 / 2)
        .map(|i| (2 * i) | ((2 * i + 1) << 16))
        .collect();
    let main = "
@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let two = given[id.x];
    for (var i = 0u; i < 2u; i++) {
        made[2u * id.x + i] = bitcast<u32>(unpack_one(two, i));
    }
    let four = unpack_four(vec2u(0u, two));
    if any(bitcast<vec2u>(four.zw) != vec2u(made[2u * id.x], made[2u * id.x + 1u])) {
        made[2u * id.x] = 1u;
    }
}
";
    let text = [BUFFERS, WIDEN_HALF, main].concat();
    let sizes = [HALVES, given.len() / 32];
    let made = run(&adapter(), &text, &[], &given, sizes);
    for (half, bits) in (0..=u16::MAX).zip(made) {
        let expected = f16::from_bits(half);
        let same = bits == expected.to_f32().to_bits();
        assert!(
            same || expected.is_nan() && f32::from_bits(bits).is_nan(),
            "{half:#x}: {bits:#x}"
        );
    }
}
