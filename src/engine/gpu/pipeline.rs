//! Kernels compiled for a device, and bound to its buffers.

use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, BindGroupLayoutDescriptor,
    BindGroupLayoutEntry, BindingType, Buffer, BufferBindingType, ComputePipeline,
    ComputePipelineDescriptor, PipelineCompilationOptions, PipelineLayoutDescriptor, ShaderModule,
    ShaderModuleDescriptor, ShaderRuntimeChecks, ShaderSource, ShaderStages,
};

use super::bindings::Access;
use super::device::Device;
use super::kernels::Kernel;
use super::layout::Layout;

/// A kernel ready to run.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) pipeline: ComputePipeline,
    layout: BindGroupLayout,
    name: &'static str,
}

impl Pipeline {
    /// Compiles a kernel. `overrides` are the constants that it has beyond those of every kernel.
    pub(super) fn compile(
        kernel: &Kernel,
        device: &Device,
        layout: Layout,
        overrides: &[(&'static str, f64)],
    ) -> Self {
        let device = &device.device;
        let module = module(kernel, device, layout);
        let bindings = bind_group_layout(kernel, device, layout);
        let pipeline_layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
            label: Some(kernel.name),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        let mut constants = kernel.constants(layout);
        constants.extend_from_slice(overrides);
        let pipeline = device.create_compute_pipeline(&ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: PipelineCompilationOptions {
                constants: &constants,
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        Self {
            pipeline,
            layout: bindings,
            name: kernel.name,
        }
    }

    /// Binds buffers, in the order of the kernel's bindings.
    pub(super) fn bind<'a>(
        &self,
        device: &Device,
        buffers: impl Iterator<Item = &'a Buffer>,
    ) -> BindGroup {
        let entries: Vec<BindGroupEntry<'_>> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        device.device.create_bind_group(&BindGroupDescriptor {
            label: Some(self.name),
            layout: &self.layout,
            entries: &entries,
        })
    }
}

/// The shader of a kernel, with checks or without.
fn module(kernel: &Kernel, device: &wgpu::Device, layout: Layout) -> ShaderModule {
    let descriptor = ShaderModuleDescriptor {
        label: Some(kernel.name),
        source: ShaderSource::Wgsl(kernel.text(layout).into()),
    };
    if layout.checks {
        device.create_shader_module(descriptor)
    } else {
        #[expect(
            unsafe_code,
            reason = "checks within shaders halve the speed of the window kernel"
        )]
        // SAFETY: every index that the kernels follow comes from a batch, and `Batch::validate`
        // has passed it.
        unsafe {
            device.create_shader_module_trusted(descriptor, ShaderRuntimeChecks::unchecked())
        }
    }
}

/// The bindings of a kernel, in order.
fn bind_group_layout(kernel: &Kernel, device: &wgpu::Device, layout: Layout) -> BindGroupLayout {
    let entries: Vec<BindGroupLayoutEntry> = (0..)
        .zip(kernel.accesses(layout.shards.count))
        .map(|(binding, access)| BindGroupLayoutEntry {
            binding,
            visibility: ShaderStages::COMPUTE,
            ty: BindingType::Buffer {
                ty: BufferBindingType::Storage {
                    read_only: access == Access::Read,
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    device.create_bind_group_layout(&BindGroupLayoutDescriptor {
        label: Some(kernel.name),
        entries: &entries,
    })
}
